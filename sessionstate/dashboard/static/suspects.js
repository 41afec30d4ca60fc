/** What may leak, what was counted, and what ends next. */

import { byId, el, keyed, set, show, svg, text } from "./dom.js";
import { reasonWords } from "./reasons-known.js";
import { amount, clock, count, duration, growth, place, setAgo, setDuration, timeElement } from "./words.js";

const WIDTH = 120;
const HEIGHT = 34;
const TONES = { leak: "bad", bounded: "ok", inconclusive: "warn" };
const KINDS = { map: "map", resource: "resource", site: "place in the code", process: "process" };

/** Show the suspects, the worst first. */
export function suspects({ suspects: found, at }) {
  show(byId("suspects-none"), found.length === 0);
  const items = found.map((suspect) => ({ ...suspect, at }));
  keyed(byId("suspects"), items, (item) => `${item.kind} ${item.name} ${item.unit}`, suspectRow);
}

function suspectRow() {
  const verdict = el("span", { class: "status" });
  const name = el("code", { class: "name" });
  const kind = el("span", { class: "soft" });
  const slope = el("strong", { class: "figure" });
  const interval = el("span", { class: "soft" });
  const since = timeElement();
  const sinceLine = el("p", { class: "soft" }, "Growing since ", since);
  const line = svg("polyline", { class: "line" });
  const drawing = svg("svg", {
    class: "curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
  }, line);
  const node = el("li", {},
    el("div", { class: "words" },
      el("h3", {}, verdict, " ", name),
      el("p", {}, slope), el("p", {}, interval), el("p", {}, kind), sinceLine),
    drawing);
  return {
    node,
    update(item) {
      text(verdict, item.verdict);
      set(node, "data-status", TONES[item.verdict] ?? "none");
      text(name, item.kind === "site" ? place(item.name) : item.name);
      set(name, "title", item.name);
      text(slope, `${rise(item.slope, item.unit)} / 1000 ${item.per}`);
      text(interval, between(item));
      const unit = item.unit === "bytes" ? "" : ` ${item.unit}`;
      text(kind, `${KINDS[item.kind] ?? item.kind}, now ${amount(item.count, item.unit)}${unit}`);
      show(sinceLine, item.since !== null);
      if (item.since !== null) {
        setAgo(since, item.since, item.at);
        text(since, `${clock(item.since)}, for ${duration(item.at - item.since)}`);
      }
      set(line, "points", points(item.values));
      set(drawing, "aria-label", described(item));
    },
  };
}

const rise = (slope, unit) =>
  unit === "bytes" ? growth(slope, unit) : `${growth(slope, unit)} ${unit}`;

function between({ low, high, unit }) {
  if (low === null && high === null) return "99 %: no limit known";
  if (low === null) return `99 %: at most ${growth(high, unit)}`;
  if (high === null) return `99 %: at least ${growth(low, unit)}`;
  return `99 %: ${growth(low, unit)} to ${growth(high, unit)}`;
}

function described({ name, values, unit }) {
  if (!values.length) return `${name}: no samples yet`;
  return `${name}: from ${amount(values[0], unit)} to ${amount(values.at(-1), unit)} ` +
    `over ${values.length} samples`;
}

function points(values) {
  const least = Math.min(...values);
  const span = Math.max(Math.max(...values) - least, 1e-9);
  const flat = values.every((value) => value === least);
  return values.map((value, place) => {
    const x = values.length < 2 ? WIDTH / 2 : (place * WIDTH) / (values.length - 1);
    const y = flat ? HEIGHT / 2 : HEIGHT - 2 - ((value - least) / span) * (HEIGHT - 4);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  }).join(" ");
}

/** Make the table of what was counted; returns what fills it. */
export function counted() {
  const body = el("tbody");
  const head = el("tr", {}, ...["Name", "Kind", "Entries", "Orphans"].map((title, column) =>
    el("th", { scope: "col", class: column > 1 ? "figure" : null }, title)));
  const table = el("table", { class: "plain", hidden: true }, el("thead", {}, head), body);
  const ago = timeElement();
  const agoLine = byId("counted-ago");
  byId("counted").append(table);
  return ({ counted: found, counted_ago: seconds }) => {
    show(table, found.length > 0);
    if (seconds === null) {
      text(agoLine, "Not counted yet: all sessions are gone through in small steps.");
    } else {
      if (!agoLine.contains(ago)) agoLine.replaceChildren("Counted ", ago, ".");
      setDuration(ago, seconds, `${duration(seconds)} ago`);
    }
    keyed(body, found, (item) => `${item.kind} ${item.name}`, countedRow);
  };
}

function countedRow() {
  const name = el("code");
  const kind = el("td");
  const entries = el("td", { class: "figure" });
  const orphans = el("span", { class: "status" });
  const node = el("tr", {},
    el("th", { scope: "row" }, name), kind, entries, el("td", { class: "figure" }, orphans));
  return {
    node,
    update(item) {
      text(name, item.name);
      text(kind, item.kind === "slot" ? "map, variable" : "resource");
      text(entries, count(item.entries));
      text(orphans, item.orphans ? `${count(item.orphans)}, look at this` : "none");
      set(node, "data-status", item.orphans ? "bad" : "none");
    },
  };
}

/** Show which sessions end next. */
export function deadlines({ deadlines: next }) {
  show(byId("deadlines-none"), next.length === 0);
  show(byId("deadlines-scroll"), next.length > 0);
  keyed(byId("deadlines"), next, (item) => item.incarnation, deadlineRow);
}

function deadlineRow({ incarnation }) {
  const link = el("a", { href: `#session=${incarnation}`, class: "id" });
  const left = timeElement();
  const reason = el("span", { class: "soft" });
  const node = el("li", {}, link, reason, el("span", { class: "when" }, left));
  return {
    node,
    update(item) {
      const late = item.seconds < 0;
      text(link, item.id);
      set(link, "title", item.id);
      setDuration(left, item.seconds,
        late ? `overdue by ${duration(-item.seconds)}` : `in ${duration(item.seconds)}`);
      text(reason, reasonWords(item.reason));
      set(node, "data-status", late ? "bad" : "none");
    },
  };
}
