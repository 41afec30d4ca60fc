/** The figures on top: each with a word for whether it is as it should be. */

import { byId, el, set, text } from "./dom.js";
import { bytes, count, delay, plural, rate, share } from "./words.js";

const LATE = 0.1;
const VERY_LATE = 1;
const MANY = 0.5;
const OK = ["ok", "ok"];

/* Each: a title, the figure, what is below it, and [status, word]. */
const TILES = {
  live: {
    title: "Live sessions",
    figure: ({ tiles }) => count(tiles.live),
    more: ({ tiles }) =>
      `${count(tiles.held)} held, ${count(tiles.idle)} idle, ${count(tiles.closing)} closing`,
    status: ({ tiles }) =>
      tiles.unbounded > 0 ? ["warn", `${count(tiles.unbounded)} never end`] : OK,
  },
  traffic: {
    title: "Opened a minute",
    figure: ({ tiles }) => rate(tiles.opened_per_minute),
    more: ({ tiles }) => tiles.closed_per_minute === null ? "It takes some seconds to tell." :
      `${rate(tiles.closed_per_minute)} closed a minute` + (tiles.requests_per_minute === null ? "" :
      `, ${rate(tiles.requests_per_minute)} requests a minute`),
    status: ({ tiles }) => traffic(tiles.opened_per_minute, tiles.closed_per_minute),
  },
  share: {
    title: "Ended by a limit",
    wide: true,
    figure: ({ tiles }) => share(tiles.automatic_share),
    more: () =>
      "Of the sessions that ended: those whose goodbye never came, so that a deadline, a cap or " +
      "a crash had to end them.",
    status: ({ tiles }) => {
      if (tiles.automatic_share === null) return ["none", "none ended yet"];
      return tiles.automatic_share > MANY ? ["warn", "look at this"] : OK;
    },
  },
  orphans: {
    title: "Orphans",
    figure: ({ tiles }) => count(tiles.orphans),
    more: () => "Sessions that should be gone",
    status: ({ tiles }) => {
      if (tiles.orphans === null) return ["none", "not counted yet"];
      return tiles.orphans > 0 ? ["bad", "look at this"] : OK;
    },
  },
  memory: {
    title: "Memory",
    figure: ({ tiles }) => bytes(tiles.rss),
    more: () => "RSS of the process",
    // It grows for a hundred reasons, and falls for none.
    status: () => ["none", "shown, not judged"],
  },
  loop: {
    title: "Loop delay",
    figure: ({ tiles, blocked }) => delay(blocked ? blocked.seconds : tiles.loop_delay),
    more: () => "Worst since the last update",
    status: ({ tiles, blocked }) => {
      if (blocked) return ["bad", "blocked"];
      if (tiles.loop_delay >= VERY_LATE) return ["bad", "look at this"];
      return tiles.loop_delay >= LATE ? ["warn", "slow"] : OK;
    },
  },
  errors: {
    title: "Errors",
    figure: ({ tiles }) =>
      count(tiles.clean_up_errors + tiles.stuck + tiles.abandoned + tiles.refused),
    more: ({ tiles }) =>
      `${plural(tiles.clean_up_errors, "clean-up error")}, ${count(tiles.stuck)} stuck, ` +
      `${count(tiles.abandoned)} abandoned, ${count(tiles.refused)} refused`,
    status: ({ tiles }) => {
      if (tiles.stuck + tiles.abandoned > 0) return ["bad", "look at this"];
      return tiles.clean_up_errors + tiles.refused > 0 ? ["warn", "look at this"] : OK;
    },
  },
};

function traffic(opened, closed) {
  if (opened === null || closed === null) return ["none", "not known yet"];
  if (opened > closed * 1.25 + 1) return ["none", "growing"];
  return closed > opened * 1.25 + 1 ? ["none", "shrinking"] : ["none", "in balance"];
}

/** Make the tiles; returns what fills them. */
export function tiles() {
  const made = Object.entries(TILES).map(([id, tile]) => ({ tile, ...shape(id, tile) }));
  byId("tiles").append(...made.map(({ node }) => node));
  return (overview) => {
    for (const { tile, node, figure, status, more } of made) {
      const [tone, word] = tile.status(overview);
      text(figure, tile.figure(overview));
      text(more, tile.more(overview));
      text(status, word);
      set(node, "data-status", tone);
    }
  };
}

function shape(id, tile) {
  const figure = el("strong", { class: "figure" }, "–");
  const status = el("span", { class: "status" }, "waiting");
  const more = el("p", { class: "soft" });
  const node = el("li", { id: `tile-${id}`, class: tile.wide ? "tile wide" : "tile" },
    el("h3", {}, tile.title), el("p", { class: "value" }, figure, " ", status), more);
  set(node, "data-status", "none");
  return { node, figure, status, more };
}
