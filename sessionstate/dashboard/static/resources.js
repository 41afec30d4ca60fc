/** What a session owns and keeps: a tree, by kind. */

import { el, keyed, show, text } from "./dom.js";
import { lines } from "./banners.js";
import { bytes, count, plural } from "./words.js";

const FEW = 20; // of a kind that is open at first
const WORDS = { slot: "values in maps and variables" };

/** Make the section; `fill(session)` shows what there is now. */
export function resources() {
  const tree = el("ul", { class: "tree" });
  const none = el("p", { class: "soft" }, "It owns nothing.");
  const more = el("p", { class: "soft", hidden: true });
  const node = el("section", {}, el("h3", {}, "What it owns and keeps"), none, tree, more);
  return {
    node,
    fill({ resources: owned, more_resources: besides }) {
      show(none, owned.length + besides === 0);
      keyed(tree, [...byKind(owned)], ([kind]) => kind, kindNode);
      show(more, besides > 0);
      text(more, `and ${plural(besides, "other")}, which are not shown`);
    },
  };
}

function byKind(owned) {
  const kinds = new Map();
  for (const one of owned) {
    if (!kinds.has(one.kind)) kinds.set(one.kind, []);
    const items = kinds.get(one.kind);
    items.push({ ...one, key: `${items.length} ${one.stack.length > 0}` });
  }
  return kinds;
}

function kindNode([kind, first]) {
  const number = el("span", { class: "soft" });
  const list = el("ul");
  const branch = el("details", { open: first.length <= FEW },
    el("summary", {}, el("span", {}, WORDS[kind] ?? kind), " ", number), list);
  let items = first;
  const fill = () => {
    if (branch.open) keyed(list, items, (item) => item.key, leaf); // a thousand are not made unseen
  };
  branch.addEventListener("toggle", fill);
  return {
    node: el("li", {}, branch),
    update([, now]) {
      items = now;
      text(number, count(now.length));
      fill();
    },
  };
}

function leaf({ stack }) {
  const name = el("code");
  const about = el("span", { class: "soft" });
  const waits = el("ol", { class: "stack" });
  const inside = stack.length
    ? [el("details", {}, el("summary", {}, name, " ", about), waits)]
    : [name, " ", about];
  return {
    node: el("li", {}, ...inside),
    update(item) {
      text(name, item.name);
      const parts = [
        item.type,
        item.size === null ? null : bytes(item.size),
        item.pid === null ? null : `pid ${item.pid}`,
        item.stack.length ? "waits" : null,
      ];
      text(about, parts.filter((part) => part !== null).join(", "));
      lines(waits, item.stack);
    },
  };
}
