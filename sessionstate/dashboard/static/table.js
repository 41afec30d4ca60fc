/**
 * The table of sessions: sorted, searched and paged by the server, a hundred at a time.
 *
 * A refresh changes what is there and moves rows only where the order changed. While something in
 * the table is selected, rows keep their places.
 */

import { byId, el, keyed, say, set, show, shownRows, text } from "./dom.js";
import { get, why } from "./requests.js";
import { amount, count, duration, place, setDuration, timeElement } from "./words.js";

const DEBOUNCE = 250;
const LEAST_PAUSE = 2_000; // between two refreshes
const ROWS = 100;

const COLUMNS = [
  { title: "Session" },
  { title: "State" },
  { title: "Age", sort: "age", first: "desc" },
  { title: "Idle", sort: "idle", first: "desc" },
  { title: "Deadline", sort: "deadline", first: "asc" },
  { title: "Entries", sort: "entries", first: "desc" },
  { title: "Resources", sort: "resources", first: "desc" },
  { title: "Weight", sort: "weight", first: "desc" },
  { title: "Holders" },
  { title: "Children" },
];
const STATES = { open: "open, held", idle: "idle", closing: "closing" };

/** Make the table; returns `refresh`, to be called with each update. */
export function sessions() {
  const query = { sort: "age", order: "desc", search: "", state: "", page: 1 };
  const { node, body, heads } = shape((column) => sortBy(column));
  const pager = pages((page) => ask({ page }));
  let running = null;
  let asked = 0;
  let typing = null;
  let waits = null;
  byId("table").append(node);

  function sortBy({ sort, first }) {
    const turned = query.order === "desc" ? "asc" : "desc";
    ask({ sort, order: query.sort === sort ? turned : first, page: 1 });
  }

  function ask(change) {
    Object.assign(query, change);
    load({ aloud: true });
  }

  async function load({ aloud = false } = {}) {
    const own = (running = {}); // a later question makes the answer to this one worthless
    asked = performance.now();
    set(node, "aria-busy", aloud);
    mark(heads, query);
    try {
      const page = await get("api/sessions", wanted(query));
      if (own === running) fill(page, aloud);
    } catch (error) {
      if (own === running) text(byId("showing"), `Not up to date: ${why(error)}.`);
    } finally {
      if (own === running) {
        running = null;
        set(node, "aria-busy", false);
      }
    }
  }

  function fill(page, aloud) {
    query.page = page.page;
    const held = !aloud && selecting(body);
    const rows = held ? page.rows.filter((row) => shownRows(body).has(row.incarnation)) : page.rows;
    if (held) rows.forEach((row) => shownRows(body).get(row.incarnation).update(row));
    else keyed(body, rows, (row) => row.incarnation, sessionRow);
    show(node, page.rows.length > 0);
    const words = showing(page, query);
    text(byId("showing"), words);
    pager(page);
    if (aloud) say(words);
  }

  byId("search").addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => ask({ search: event.target.value.trim(), page: 1 }), DEBOUNCE);
  });
  byId("state").addEventListener("change", (event) => ask({ state: event.target.value, page: 1 }));
  byId("query").addEventListener("submit", (event) => event.preventDefault());
  // A browser may have kept what was typed before a reload.
  query.search = byId("search").value.trim();
  query.state = byId("state").value;

  load();

  return () => {
    if (waits !== null) return;
    const rest = Math.max(asked + LEAST_PAUSE - performance.now(), 0);
    waits = setTimeout(() => {
      waits = null;
      if (!running && !document.hidden) load();
    }, rest);
  };
}

const wanted = ({ sort, order, search, state, page }) => ({
  sort, order, page, ...(search ? { search } : {}), ...(state ? { state } : {}),
});

function selecting(body) {
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(body, true);
}

function showing({ total, matching, page, rows }, { search, state }) {
  if (total === 0) return "No session is live.";
  if (matching === 0) return `None of ${count(total)} live sessions matches.`;
  const first = (page - 1) * ROWS + 1;
  const range = `${count(first)} to ${count(first + rows.length - 1)}`;
  if (search || state) {
    return `Showing ${range} of ${count(matching)} that match, of ${count(total)} live sessions.`;
  }
  return `Showing ${range} of ${count(total)} live sessions.`;
}

function shape(sortBy) {
  const heads = COLUMNS.map((column, index) => {
    const sorts = column.sort !== undefined;
    const button = el("button", { type: "button", class: "sort" }, column.title,
      el("span", { class: "arrow", "aria-hidden": "true" }));
    if (sorts) button.addEventListener("click", () => sortBy(column));
    const node = el("th", { scope: "col", role: "columnheader", class: index > 1 ? "figure" : null },
      sorts ? button : column.title);
    return { column, node, arrow: button.querySelector(".arrow") };
  });
  // The roles are written out, since a narrow screen lays the table out as cards.
  const body = el("tbody", { role: "rowgroup" });
  const node = el("table", { class: "sessions", role: "table", "aria-labelledby": "sessions-title" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads.map((head) => head.node))),
    body);
  body.addEventListener("click", open);
  return { node, body, heads };
}

/** A click anywhere in a row opens it, unless it was made to select some text. */
function open(event) {
  if (event.target.closest("a") || !getSelection().isCollapsed) return;
  event.target.closest("tr")?.querySelector("a").click();
}

function mark(heads, { sort, order }) {
  for (const { column, node, arrow } of heads) {
    if (!column.sort) continue;
    const words = order === "desc" ? "descending" : "ascending";
    set(node, "aria-sort", column.sort === sort ? words : "none");
    text(arrow, column.sort === sort ? (order === "desc" ? "▼" : "▲") : "");
  }
}

function sessionRow({ incarnation }) {
  const link = el("a", { href: `#session=${incarnation}`, class: "id" });
  const where = el("span", { class: "soft where" });
  const state = el("span", { class: "status" });
  const age = timeElement();
  const idle = timeElement();
  const left = timeElement();
  const never = document.createTextNode("");
  const cells = COLUMNS.slice(2).map((column) =>
    el("td", { role: "cell", class: "figure", "data-title": column.title }));
  const [ageCell, idleCell, leftCell, ...figures] = cells;
  ageCell.append(age);
  idleCell.append(idle);
  leftCell.append(left, never);
  const node = el("tr", { role: "row", "data-incarnation": incarnation },
    el("th", { scope: "row", role: "rowheader" }, link, where),
    el("td", { role: "cell", "data-title": "State" }, state), ...cells);
  return {
    node,
    update(row) {
      text(link, row.id);
      set(link, "title", row.id);
      const opened = place(row.opened_where);
      text(where, row.group === null ? opened : `${row.group} · ${opened}`);
      set(where, "title", row.opened_where);
      text(state, STATES[row.state] ?? row.state);
      setDuration(age, row.age);
      setDuration(idle, row.idle);
      deadline(row.expires_in);
      const values = [count(row.entries), count(row.resources), amount(row.weight, ""),
        count(row.holders), count(row.children)];
      values.forEach((value, index) => text(figures[index], value));
      set(node, "data-status", row.expires_in !== null && row.expires_in < 0 ? "bad" : row.state);
    },
  };

  function deadline(seconds) {
    show(left, seconds !== null);
    never.data = seconds === null ? "never" : "";
    if (seconds === null) return;
    setDuration(left, seconds,
      seconds < 0 ? `overdue ${duration(-seconds)}` : duration(seconds));
  }
}

function pages(goTo) {
  let now = { page: 1, pages: 1 };
  const place = el("span", { class: "place" });
  const button = (title, target) => {
    const node = el("button", { type: "button" }, title);
    node.addEventListener("click", () => {
      const page = target();
      if (page !== now.page && page >= 1 && page <= now.pages) goTo(page);
    });
    return node;
  };
  const first = button("First", () => 1);
  const previous = button("Previous", () => now.page - 1);
  const next = button("Next", () => now.page + 1);
  const last = button("Last", () => now.pages);
  byId("pager").append(first, previous, place, next, last);
  return (page) => {
    now = page;
    text(place, `Page ${count(page.page)} of ${count(Math.max(page.pages, 1))}`);
    show(byId("pager"), page.pages > 1);
    // Not `disabled`: a button that has the focus would lose it.
    for (const node of [first, previous]) set(node, "aria-disabled", page.page <= 1 && "true");
    for (const node of [next, last]) set(node, "aria-disabled", page.page >= page.pages && "true");
  };
}
