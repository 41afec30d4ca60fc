/** What stands above everything else: the loop is blocked, the stream is lost, nobody is there. */

import { byId, el, keyed, say, set, show, text } from "./dom.js";
import { delay } from "./words.js";

/** Make the banners; returns what shows and hides them. */
export function banners() {
  const blocked = banner("blocked", "bad");
  const stack = el("ol", { class: "stack" });
  const where = el("details", { open: true }, el("summary", {}, "Where it is"), stack);
  blocked.node.append(where);
  const lost = banner("lost", "warn");
  const left = banner("left", "warn");
  byId("banners").append(blocked.node, lost.node, left.node);
  let wasBlocked = false;

  return {
    update(overview) {
      const now = overview.blocked;
      show(blocked.node, now !== null);
      if (now) {
        text(blocked.words, `The event loop has not answered for ${delay(now.seconds)}.`);
        text(blocked.more, "What is below is from before; sessions cannot be asked meanwhile.");
        show(where, now.stack.length > 0);
        lines(stack, now.stack);
      }
      if (wasBlocked !== (now !== null)) {
        wasBlocked = now !== null;
        say(now ? "The event loop does not answer." : "The event loop answers again.");
      }
      show(left.node, !overview.running);
      if (!overview.running) {
        text(left.words, "The supervisor was left.");
        text(left.more, "Its sessions are gone; what is below is how it was.");
      }
    },
    stream({ word, reason, retryAt }) {
      const shown = word === "lost";
      if (shown === lost.node.hidden) {
        say(shown ? "Connection lost, trying again." : "Connected again.");
      }
      show(lost.node, shown);
      if (!shown) return;
      text(lost.words, "Connection lost, trying again.");
      const seconds = Math.max(Math.round((retryAt - Date.now()) / 1000), 1);
      text(lost.more, `Reason: ${reason}; the next try is in ${seconds} s. What is below is how it was.`);
    },
  };
}

function banner(id, tone) {
  const words = el("strong");
  const more = el("span");
  const node = el("div", { class: `banner ${tone}`, id: `banner-${id}`, hidden: true },
    el("p", {}, words, " ", more));
  return { node, words, more };
}

/** Show a stack, the innermost first. */
export function lines(list, stack) {
  keyed(list, stack.map((line, place) => ({ line, place })), (item) => item.place, () => {
    const node = el("li");
    return {
      node,
      update(item) {
        text(node, item.line);
        set(node, "title", item.line);
      },
    };
  });
}
