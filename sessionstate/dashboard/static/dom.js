/**
 * The document: nodes are made once, kept, and changed only where something changed.
 *
 * Whatever comes from the server is set as text or as an attribute's value, never as HTML.
 */

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** Make an element; attributes that are null or false are left out. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Make an element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) set(node, name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Set an attribute if it differs; null and false take it away. */
export function set(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const wanted = value === true ? "" : String(value);
  if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
}

/** Set the text of a node if it differs. */
export function text(node, value) {
  const wanted = String(value);
  const only = node.firstChild;
  if (only === null) {
    if (wanted) node.append(wanted);
  } else if (only === node.lastChild && only.nodeType === Node.TEXT_NODE) {
    if (only.data !== wanted) only.data = wanted;
  } else {
    node.textContent = wanted;
  }
}

/** Show or hide a node. */
export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

const rows = new WeakMap();

/**
 * Make the children of *parent* those of *items*, in their order, keeping what is there already.
 *
 * `make(item)` returns `{ node, update(item) }`. The child that has the focus is never moved, since
 * it would lose it: the others are moved around it. If it goes, its successor gets the focus.
 */
export function keyed(parent, items, keyOf, make) {
  const known = rows.get(parent) ?? new Map();
  const next = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (next.has(key)) continue; // the same thing twice is shown once
    const row = known.get(key) ?? make(item);
    row.update(item);
    next.set(key, row);
  }
  const active = document.activeElement;
  const focused = [...parent.children].find((child) => child.contains(active)) ?? null;
  const place = focused ? [...parent.children].indexOf(focused) : -1;
  for (const [key, row] of known) if (!next.has(key)) row.node.remove();
  arrange(parent, [...next.values()].map((row) => row.node), focused);
  if (focused && !focused.isConnected) focusOn(parent, place);
  rows.set(parent, next);
}

function arrange(parent, nodes, fixed) {
  let cursor = parent.firstChild;
  for (const node of nodes) {
    if (node === cursor) cursor = cursor.nextSibling;
    else if (node === fixed) cursor = node.nextSibling;
    else parent.insertBefore(node, cursor);
  }
}

function focusOn(parent, place) {
  const child = parent.children[Math.min(place, parent.children.length - 1)];
  child?.querySelector("a, button, summary")?.focus({ preventScroll: true });
}

/** The rows of *parent* as `keyed` left them, by key. */
export const shownRows = (parent) => rows.get(parent) ?? new Map();

const SAID = 3; // sentences that are kept, so that one does not cut off another

/** Say something to those who listen to the page. */
export function say(sentence) {
  const said = byId("said");
  said.append(el("p", {}, sentence));
  while (said.children.length > SAID) said.firstChild.remove();
}

/** The colour that a custom property stands for at this moment, for a canvas. */
export function colour(name) {
  let probe = byId("probe");
  if (!probe) {
    probe = el("span", { id: "probe", hidden: true });
    document.body.append(probe);
  }
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}
