/** One sentence for who just opened the page: does anything leak, what, since when. */

import { byId, say, set, text } from "./dom.js";
import { occurring, reasonWords } from "./reasons-known.js";
import { clock, count, duration, growth, place, plural, share } from "./words.js";

const UNSURE = new Set(["inconclusive", "warming up"]);
let before = null;

/** Show the sentence, and say it if what it tells is new. */
export function headline(overview) {
  const [status, sentence, kept] = judged(overview);
  set(byId("headline"), "data-status", status);
  text(byId("headline-title"), sentence);
  text(byId("headline-more"), endings(overview));
  // The title of the tab tells it too, since that is what is seen of a tab among many.
  document.title = `${status === "bad" ? "(!) " : ""}${overview.supervisor} · sessionstate`;
  if (before !== null && before !== kept) say(sentence);
  before = kept;
}

/** The status, the sentence, and what of it has to change to be news. */
function judged({ suspects, tiles, running, blocked, at }) {
  const leaks = suspects.filter((suspect) => suspect.verdict === "leak");
  if (!running) return ["none", "The supervisor was left", "left"];
  if (leaks.length > 0) {
    const names = leaks.map((suspect) => suspect.name).join();
    return ["bad", leaking(leaks, at), `leak ${names}`];
  }
  if (tiles.orphans > 0) {
    const verb = tiles.orphans === 1 ? "is" : "are";
    const sentence = `${plural(tiles.orphans, "session")} should be gone and ${verb} not`;
    return ["bad", sentence, "orphans"];
  }
  if (tiles.stuck + tiles.abandoned > 0) {
    const sentence = `No leak known, but ${plural(tiles.stuck + tiles.abandoned, "clean-up")} hung`;
    return ["warn", sentence, "hung"];
  }
  if (blocked) return ["none", "No leak was known when the event loop stopped answering", "blocked"];
  const unsure = suspects.filter((suspect) => UNSURE.has(suspect.verdict)).length;
  if (suspects.length === 0 || unsure === suspects.length) {
    const words = suspects.length ? "not enough requests to tell" : "nothing was measured so far";
    return ["none", `No leak known yet: ${words}`, "unknown"];
  }
  if (unsure > 0) {
    return ["ok", `No leak known; ${plural(unsure, "measure")} cannot be told yet`, "ok"];
  }
  return ["ok", "Nothing leaks: all that is measured stays within bounds", "ok"];
}

function leaking([worst, ...others], at) {
  const since = worst.since === null ? "" : ` since ${clock(worst.since)}`;
  const ago = worst.since === null ? "" : ` (${duration(at - worst.since)})`;
  const unit = worst.unit === "bytes" ? "" : ` ${worst.unit}`;
  const more = others.length ? `, and ${others.length} more` : "";
  const name = worst.kind === "site" ? place(worst.name) : worst.name;
  return `${name} leaks: ${growth(worst.slope, worst.unit)}${unit} ` +
    `per 1000 ${worst.per}${since}${ago}${more}`;
}

function endings({ tiles, reasons }) {
  const names = occurring(reasons);
  const ended = names.reduce((sum, name) => sum + reasons[name], 0);
  if (ended === 0 || tiles.automatic_share === null) return "No session ended yet.";
  const most = names.reduce((one, other) => (reasons[other] > reasons[one] ? other : one));
  return `${plural(ended, "session")} ended: ${share(1 - tiles.automatic_share)} because somebody ` +
    `said so, ${share(tiles.automatic_share)} by a limit. ` +
    `The most frequent reason is ${reasonWords(most)} (${count(reasons[most])}).`;
}
