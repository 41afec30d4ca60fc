/** Why sessions ended: a bar for each minute, the sums, and the same as a table. */

import { byId, el, keyed, set, show, svg, text } from "./dom.js";
import { meaningOf, occurring, reasonClass, reasonWords, REASONS } from "./reasons-known.js";
import { clock, count, share } from "./words.js";

const MINUTE = 60;
const SLOTS = 60;
const SLOT = 10;
const BAR = 8;
const HEIGHT = 100;

/** Make the drawing and its tables; returns what fills them. */
export function reasons() {
  const bars = svg("g");
  const grid = [0, HEIGHT / 2, HEIGHT].map((y) =>
    svg("line", { class: "grid", x1: 0, x2: SLOTS * SLOT, y1: y, y2: y }));
  const drawing = svg("svg", {
    class: "bars", viewBox: `0 0 ${SLOTS * SLOT} ${HEIGHT}`, preserveAspectRatio: "none",
    role: "img",
  }, ...grid, bars);
  const scale = [el("span"), el("span"), el("span", {}, "0")];
  const hour = el("div", { class: "hour" },
    ...["60 min ago", "30 min ago", "now"].map((words) => el("span", {}, words)));
  const sums = el("tbody");
  const minutes = el("table", { class: "plain" });
  const details = el("details", { class: "more" },
    el("summary", {}, "Minute by minute, as a table"),
    el("div", { class: "scroll", role: "region", "aria-label": "Reasons by minute", tabindex: "0" },
      minutes));
  const none = byId("reasons-none");
  const place = byId("reasons");
  place.append(
    el("p", { class: "soft axis" }, "Ended sessions a minute"),
    el("div", { class: "drawing" },
      el("div", { class: "scale", "aria-hidden": "true" }, ...scale), drawing, el("span"), hour),
    el("table", { class: "plain sums" }, el("caption", { class: "unseen" }, "Since the start"),
      heads("Reason", "Sessions", "Share", "What it means"), sums),
    details);
  let last = null;
  details.addEventListener("toggle", () => last && fillMinutes(minutes, last));

  return (overview) => {
    last = overview;
    const names = occurring(overview.reasons);
    show(none, names.length === 0);
    show(place, names.length > 0);
    if (names.length === 0) return;
    fillSums(sums, overview.reasons, names);
    const shown = recent(overview);
    const most = roof(Math.max(...shown.map(({ reasons: counts }) => total(counts)), 1));
    text(scale[0], count(most));
    text(scale[1], most % 2 ? "" : count(most / 2));
    keyed(bars, shown.map((minute) => ({ ...minute, most })), (minute) => minute.at, bar);
    set(drawing, "aria-label", described(shown));
    if (details.open) fillMinutes(minutes, overview);
  };
}

const total = (counts) => Object.values(counts).reduce((sum, value) => sum + value, 0);

/** The minutes of the last hour, each with its slot; the last slot is the running minute. */
function recent({ minutes, at }) {
  const now = Math.floor(at / MINUTE);
  return minutes
    .map((minute) => ({ ...minute, slot: SLOTS - 1 - (now - Math.floor(minute.at / MINUTE)) }))
    .filter(({ slot }) => slot >= 0 && slot < SLOTS);
}

function roof(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value);
}

function bar() {
  const node = svg("g", {}, svg("title"));
  return { node, update: (minute) => stack(node, minute) };
}

function stack(node, { at, slot, reasons: counts, most }) {
  const names = occurring(counts);
  set(node, "transform", `translate(${slot * SLOT + (SLOT - BAR) / 2} 0)`);
  text(node.firstChild, `${clock(at)}: ${inWords(counts, names)}`);
  while (node.children.length - 1 > names.length) node.lastChild.remove();
  while (node.children.length - 1 < names.length) node.append(svg("rect", { width: BAR }));
  let top = HEIGHT;
  for (const [index, name] of names.entries()) {
    const rect = node.children[index + 1];
    const height = (counts[name] / most) * HEIGHT;
    top -= height;
    set(rect, "class", reasonClass(name));
    set(rect, "y", top.toFixed(2));
    set(rect, "height", height.toFixed(2));
  }
}

const inWords = (counts, names) =>
  names.map((name) => `${count(counts[name])} ${reasonWords(name)}`).join(", ");

function described(minutes) {
  const sum = {};
  for (const { reasons: counts } of minutes) {
    for (const [name, value] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + value;
  }
  const names = occurring(sum);
  if (!names.length) return "No session ended in the last hour";
  return `Ends in the last hour: ${inWords(sum, names)}. The table below has each minute.`;
}

function heads(...titles) {
  return el("thead", {}, el("tr", {}, ...titles.map((title) =>
    el("th", { scope: "col", class: /Sessions|Share/.test(title) ? "figure" : null }, title))));
}

function fillSums(body, counts, names) {
  const all = total(counts);
  const items = names.map((name) => ({ name, value: counts[name], of: all }));
  keyed(body, items, (item) => item.name, ({ name }) => {
    const figure = el("td", { class: "figure" });
    const part = el("td", { class: "figure" });
    const family = REASONS.get(name)?.family;
    const meaning = [family, meaningOf(name)].filter(Boolean).join(": ");
    const node = el("tr", {},
      el("th", { scope: "row" }, el("span", { class: `key ${reasonClass(name)}` }),
        reasonWords(name)),
      figure, part, el("td", { class: "soft" }, meaning));
    return {
      node,
      update(item) {
        text(figure, count(item.value));
        text(part, share(item.value / item.of));
      },
    };
  });
}

function fillMinutes(table, { minutes, reasons: all }) {
  const names = occurring(all);
  if (table.dataset.names !== names.join()) {
    table.dataset.names = names.join();
    const titles = ["Minute", "All", ...names.map(reasonWords)];
    const head = el("tr", {}, ...titles.map((title, column) =>
      el("th", { scope: "col", class: column ? "figure" : null }, title)));
    table.replaceChildren(el("thead", {}, head), el("tbody"));
  }
  keyed(table.tBodies[0], [...minutes].reverse(), (minute) => minute.at, (minute) => {
    const cells = [total, ...names.map((name) => (counts) => counts[name] ?? 0)].map((value) => ({
      value, node: el("td", { class: "figure" }),
    }));
    const node = el("tr", {}, el("th", { scope: "row" }, clock(minute.at)),
      ...cells.map((cell) => cell.node));
    return {
      node,
      update: ({ reasons: counts }) => {
        for (const cell of cells) text(cell.node, count(cell.value(counts)));
      },
    };
  });
}
