/** The button that ends a session: it asks once more, and says what came of it. */

import { el, show, text } from "./dom.js";
import { post, why } from "./requests.js";

/** Make the button with its question; *done* is called after each answer. */
export function closing(done) {
  const begin = el("button", { type: "button", class: "danger" }, "Close this session");
  const yes = el("button", { type: "button", class: "danger" }, "Yes, close it");
  const no = el("button", { type: "button" }, "Keep it");
  const question = el("div", { class: "confirm", role: "group", "aria-label": "Close this session?",
    hidden: true },
    el("p", {}, "Its tasks are cancelled and all that it owns is released. This cannot be undone."),
    yes, " ", no);
  const outcome = el("p", { class: "outcome", role: "status", "aria-live": "polite" });
  const node = el("div", { class: "closing" }, begin, question, outcome);
  let incarnation = null;
  let allowed = false;
  let ends = false; // there is something to end
  let asking = false;
  let busy = false;

  function render() {
    show(question, asking);
    show(begin, allowed && ends && !asking);
  }

  begin.addEventListener("click", () => {
    asking = true;
    text(outcome, "");
    render();
    no.focus();
  });
  no.addEventListener("click", () => {
    asking = false;
    render();
    begin.focus();
  });
  yes.addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    const meant = incarnation;
    let words;
    try {
      await post("api/close", { incarnation: meant });
      words = "Closed: its end is decided, and its clean-up runs.";
      if (meant === incarnation) ends = false;
    } catch (error) {
      words = error.status === 404
        ? "It had ended already, or was about to."
        : `It was not closed: ${why(error)}.`;
    }
    busy = false;
    if (meant !== incarnation) return; // another session is looked at by now
    asking = false;
    render();
    text(outcome, words);
    done();
  });

  return {
    node,
    allow(whether) {
      allowed = whether;
      render();
    },
    clear(which) {
      incarnation = which;
      asking = ends = false;
      text(outcome, "");
      render();
    },
    session(found) {
      ends = found !== null && found.state !== "closing" && found.state !== "closed";
      if (!ends) asking = false;
      render();
    },
  };
}
