/**
 * The stream of updates: opened anew with growing pauses when it is lost, and closed while nobody
 * looks at the page.
 *
 * It is read by hand, not by an EventSource, which tells neither why it was refused nor that only
 * the server's pings came.
 */

import { checked, why } from "./requests.js";

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 15_000;
const SILENCE = 40_000; // the server pings every 15 s
const SPREAD = 0.4; // of a pause, so that not all pages come back at once

/** Follow the stream: `update(overview)` for each one, `state({ word, reason, retryAt })`. */
export function follow({ update, state }) {
  let current = null;
  let pause = FIRST_PAUSE;
  let retry = null;

  function open() {
    clearTimeout(retry);
    if (current || document.hidden) return;
    current = new AbortController();
    listen(current);
  }

  async function listen(own) {
    let reason = "the server ended the stream";
    try {
      for await (const data of events(own)) {
        if (own !== current) return;
        pause = FIRST_PAUSE;
        state({ word: "live" });
        update(JSON.parse(data));
      }
    } catch (error) {
      reason = why(error);
      if (error instanceof SyntaxError || error instanceof ReferenceError) throw error;
    } finally {
      own.abort();
      if (own === current) lose(reason);
    }
  }

  function lose(reason) {
    current = null;
    const wait = pause * (1 - SPREAD / 2 + Math.random() * SPREAD);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
    state({ word: "lost", reason, retryAt: Date.now() + wait });
    retry = setTimeout(open, wait);
  }

  function close() {
    clearTimeout(retry);
    current?.abort();
    current = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
      state({ word: "paused" });
    } else {
      pause = FIRST_PAUSE;
      open();
    }
  });
  addEventListener("online", open);
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

/** The data of each event, until the stream ends or is silent for too long. */
async function* events(controller) {
  let timer = null;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(), SILENCE);
  };
  heard();
  try {
    const answer = await fetch("api/stream", {
      headers: { Accept: "text/event-stream" },
      cache: "no-store",
      signal: controller.signal,
    });
    await checked(answer);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop();
      for (const block of blocks) {
        const data = dataOf(block);
        if (data !== null) yield data;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** What a block of an event stream carries; null for a comment, or another event than an update. */
function dataOf(block) {
  const lines = block.split(/\r?\n/);
  if (!lines.includes("event: update")) return null;
  return lines.filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trimStart()).join("\n");
}
