/** Figures as text: short where they are read, exact where they are asked for. */

import { el, set, text } from "./dom.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const KILO = 1024;
const UNITS = ["bytes", "kB", "MB", "GB", "TB"];
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** "1,234"; a dash for what is not known. */
export const count = (value) => (value === null ? "–" : whole.format(value));

/** "12" or "0.4": per minute. */
export const rate = (value) => (value === null ? "–" : (value < 10 ? tenth : whole).format(value));

/** "18 %". */
export function share(value) {
  if (value === null) return "–";
  if (value > 0 && value < 0.01) return "under 1 %";
  return `${whole.format(value * 100)} %`;
}

/** "1 session", "2 sessions". */
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

/** "chat/handlers.py:88": the end of a path, which tells places apart. */
export const place = (path) => path.split(/[\\/]/).slice(-2).join("/");

/** "82.4 MB". */
export function bytes(value) {
  let unit = 0;
  let amount = Math.abs(value);
  while (amount >= KILO && unit < UNITS.length - 1) {
    amount /= KILO;
    unit += 1;
  }
  const shown = unit === 0 ? whole.format(amount) : three.format(amount);
  return `${value < 0 ? "−" : ""}${shown} ${UNITS[unit]}`;
}

/** "12", or "1.4 MB" if the unit is bytes. */
export function amount(value, unit) {
  return unit === "bytes" ? bytes(value) : `${value < 0 ? "−" : ""}${three.format(Math.abs(value))}`;
}

/** "+12" or "−3". */
export const growth = (value, unit) => `${value > 0 ? "+" : ""}${amount(value, unit)}`;

/** "3 min": one unit, two below ten hours. */
export function duration(seconds) {
  const late = seconds < 0 ? "−" : "";
  const value = Math.abs(seconds);
  if (value < 1) return `${late}${value < 0.05 ? "0" : tenth.format(value)} s`;
  if (value < 100) return `${late}${whole.format(Math.floor(value))} s`;
  if (value < 100 * MINUTE) return `${late}${Math.floor(value / MINUTE)} min`;
  if (value < 10 * HOUR) {
    const minutes = Math.floor((value % HOUR) / MINUTE);
    return `${late}${Math.floor(value / HOUR)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  if (value < 2 * DAY) return `${late}${Math.floor(value / HOUR)} h`;
  return `${late}${whole.format(Math.floor(value / DAY))} d`;
}

/** "3.2 s" or "240 ms": how late something is. */
export const delay = (seconds) =>
  seconds < 1 ? `${whole.format(seconds * 1000)} ms` : `${tenth.format(seconds)} s`;

/** The moment at *at* seconds since the epoch, in full. */
export function moment(at) {
  const date = new Date(at * 1000);
  return date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

/** "14:02", with the day if that is not today. */
export function clock(at) {
  const date = new Date(at * 1000);
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${time}`;
}

/** "14:02:31". */
export const clockSeconds = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");

/** Make a `<time>` for a length of time; fill it with `setDuration`. */
export const timeElement = (attributes = {}) => el("time", attributes);

/** Show a length of time in words; its exact value is the title. */
export function setDuration(node, seconds, words = duration(seconds)) {
  text(node, words);
  set(node, "title", `${seconds.toFixed(1)} s`);
  set(node, "datetime", `PT${Math.abs(seconds).toFixed(1)}S`);
}

/** Show a moment as how long ago it was; the moment itself is the title. */
export function setAgo(node, at, now) {
  text(node, `${duration(Math.max(now - at, 0))} ago`);
  set(node, "title", moment(at));
  set(node, "datetime", new Date(at * 1000).toISOString());
}
