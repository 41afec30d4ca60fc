/**
 * One session, all of it, in a panel over the page: it is open while the address says so.
 */

import { byId, el, keyed, set, show, text } from "./dom.js";
import { lines } from "./banners.js";
import { closing } from "./closing.js";
import { meaningOf, reasonWords } from "./reasons-known.js";
import { get, why } from "./requests.js";
import { resources } from "./resources.js";
import { amount, count, duration, moment, setAgo, setDuration, timeElement } from "./words.js";

const LEAST_PAUSE = 1_000;
const ADDRESS = /^#session=(\d{1,15})$/;

/** Make the panel; returns `update`, to be called with each overview. */
export function detail() {
  const dialog = byId("detail");
  const parts = shape(dialog);
  const closer = closing(() => load());
  dialog.append(closer.node);
  let incarnation = null;
  let running = null;
  let asked = 0;
  let waits = null;

  function follow() {
    const wanted = ADDRESS.exec(location.hash);
    if (!wanted) {
      if (dialog.open) dialog.close();
      return;
    }
    if (Number(wanted[1]) === incarnation && dialog.open) return;
    incarnation = Number(wanted[1]);
    parts.clear(incarnation);
    closer.clear(incarnation);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    parts.title.focus();
    load();
  }

  async function load() {
    const own = (running = {});
    asked = performance.now();
    try {
      const found = await get("api/session", { incarnation });
      if (own !== running) return;
      if (found) parts.fill(found);
      else parts.gone();
      closer.session(found);
    } catch (error) {
      if (own === running) parts.note(`Not up to date: ${why(error)}.`);
    } finally {
      if (own === running) running = null;
    }
  }

  dialog.addEventListener("close", () => {
    incarnation = null;
    running = null;
    if (!ADDRESS.test(location.hash)) return;
    history.replaceState(null, "", location.pathname + location.search);
    // The browser gives the focus back to where it was, unless that is gone.
    if (document.activeElement === document.body) byId("sessions").focus({ preventScroll: true });
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // outside of the panel
  });
  addEventListener("hashchange", follow);
  follow();
  return (overview) => {
    closer.allow(overview.allow_close);
    if (!dialog.open || waits !== null) return;
    waits = setTimeout(() => {
      waits = null;
      if (dialog.open && !running && !document.hidden) load();
    }, Math.max(asked + LEAST_PAUSE - performance.now(), 0));
  };
}

function shape(dialog) {
  const title = el("h2", { id: "detail-title", tabindex: "-1" });
  const back = el("button", { type: "button", class: "back" }, "Back");
  back.addEventListener("click", () => dialog.close());
  const note = el("p", { class: "soft", hidden: true });
  const reason = el("p", { class: "why" });
  const facts = factList();
  const holders = section("Blocks inside", el("ul", { class: "list" }));
  const owned = resources();
  const family = section("Parent and children", el("ul", { class: "list" }));
  const opened = section("What opened it", el("ol", { class: "stack" }));
  const used = section("Where it was used", el("ol", { class: "stack" }));
  const events = section("What happened", el("ol", { class: "events" }));
  const body = el("div", { hidden: true }, facts.node, holders.node, owned.node, family.node,
    opened.node, used.node, events.node);
  dialog.append(el("div", { class: "top" }, title, back), note, reason, body);

  return {
    title,
    note(words) {
      text(note, words);
      show(note, words !== "");
    },
    clear(incarnation) {
      text(title, `Session ${incarnation}`);
      text(reason, "Loading.");
      set(reason, "data-status", "none");
      this.note("");
      show(body, false);
    },
    gone() {
      if (body.hidden) text(reason, "There is no such session: it ended, or there never was one.");
      else this.note("It has ended. What is below is how it was when last seen.");
    },
    fill(session) {
      const now = session.opened_at + session.age;
      this.note("");
      text(title, session.id);
      const [tone, words] = whyThere(session);
      text(reason, words);
      set(reason, "data-status", tone);
      facts.fill(session);
      fillHolders(holders, session.holders);
      owned.fill(session);
      fillFamily(family, session);
      fillStack(opened, session.opened_by);
      fillStack(used, session.used_at);
      fillEvents(events, session.events, now);
      show(body, true);
    },
  };
}

function section(title, list) {
  const node = el("section", { hidden: true }, el("h3", {}, title), list);
  return { node, list };
}

/** The sentence that who is on call came for, and its status. */
function whyThere({ state, reason, expires_in: left, orphan, holders }) {
  const as = reason === null ? "" : `, as ${reasonWords(reason)}`;
  const meaning = reason === null ? "" : ` (${meaningOf(reason)})`;
  if (state === "closed") return ["none", `It ended${as}${meaning}.`];
  if (orphan !== null) return ["bad", `It should be gone: ${orphan}.`];
  if (state === "closing") return ["warn", `It is ending${as}${meaning}; its clean-up runs.`];
  const inside = holders.length === 1 ? "A block is" : `${count(holders.length)} blocks are`;
  const who = holders.length ? `${inside} inside` : heldOrNot(state);
  if (left === null) {
    return ["warn", `${who}, and it has no deadline.`];
  }
  if (left < 0) return ["bad", `${who}; it was to end ${duration(-left)} ago${as}.`];
  return ["ok", `${who}; it ends in ${duration(left)}${as}, unless that is put off by its use.`];
}

const heldOrNot = (state) => (state === "open" ? "It is held" : "Nobody is inside");

function factList() {
  const fields = new Map();
  const node = el("dl", { class: "facts" });
  const titles = ["State", "Opened", "Age", "Last used", "Deadline", "Group", "Weight", "Life",
    "Opened at"];
  for (const title of titles) {
    const value = /Opened$|Age|used|Deadline/.test(title) ? timeElement() : el("span");
    const instead = el("span", { hidden: true }, "never");
    fields.set(title, { value, instead });
    node.append(el("div", {}, el("dt", {}, title), el("dd", {}, value, instead)));
  }
  const at = (title) => fields.get(title).value;
  return {
    node,
    fill(session) {
      text(at("State"), session.state === "open" ? "open, held" : session.state);
      text(at("Opened"), moment(session.opened_at));
      set(at("Opened"), "datetime", new Date(session.opened_at * 1000).toISOString());
      setDuration(at("Age"), session.age);
      setDuration(at("Last used"), session.idle, `${duration(session.idle)} ago`);
      const left = session.expires_in;
      show(at("Deadline"), left !== null);
      show(fields.get("Deadline").instead, left === null);
      if (left !== null) {
        setDuration(at("Deadline"), left,
          left < 0 ? `overdue by ${duration(-left)}` : `in ${duration(left)}`);
      }
      text(at("Group"), session.group ?? "none");
      text(at("Weight"), amount(session.weight, ""));
      text(at("Life"), `incarnation ${count(session.incarnation)}`);
      text(at("Opened at"), session.opened_where);
    },
  };
}

function fillHolders({ node, list }, holders) {
  show(node, holders.length > 0);
  const items = holders.map((holder, place) => ({ ...holder, place }));
  keyed(list, items, (item) => `${item.place} ${item.stack.length > 0}`, ({ stack }) => {
    const where = el("code");
    const waits = el("ol", { class: "stack" });
    const inside = stack.length
      ? el("details", {}, el("summary", {}, where), el("p", { class: "soft" }, "waits at"), waits)
      : where;
    return {
      node: el("li", {}, inside),
      update(item) {
        text(where, item.where);
        lines(waits, item.stack);
      },
    };
  });
}

function fillFamily({ node, list }, { parent, children }) {
  const items = [
    ...(parent ? [{ ...parent, role: "parent" }] : []),
    ...children.map((child) => ({ ...child, role: "child" })),
  ];
  show(node, items.length > 0);
  keyed(list, items, (item) => `${item.role} ${item.incarnation}`, ({ incarnation, role }) => {
    const link = el("a", { href: `#session=${incarnation}`, class: "id" });
    const state = el("span", { class: "soft" });
    return {
      node: el("li", {}, `${role} `, link, " ", state),
      update(item) {
        text(link, item.id);
        text(state, item.state);
      },
    };
  });
}

function fillStack({ node, list }, stack) {
  show(node, stack.length > 0);
  lines(list, stack);
}

function fillEvents({ node, list }, events, now) {
  show(node, events.length > 0);
  keyed(list, events.map((event) => ({ ...event, now })), (item) => `${item.at} ${item.what}`, ({ what }) => {
    const when = timeElement({ class: "soft" });
    return {
      node: el("li", {}, when, " ", el("span", {}, what)),
      update: (event) => setAgo(when, event.at, event.now),
    };
  });
}
