/** The page: one stream of updates, and what each part of it does with one. */

import { banners } from "./banners.js";
import { curves } from "./curves.js";
import { detail } from "./detail.js";
import { byId, set, show, text } from "./dom.js";
import { headline } from "./headline.js";
import { reasons } from "./reasons.js";
import { follow } from "./stream.js";
import { counted, deadlines, suspects } from "./suspects.js";
import { sessions } from "./table.js";
import { tiles } from "./tiles.js";
import { duration } from "./words.js";

const STATES = { live: "live", lost: "connection lost", paused: "paused" };

const { title, signOut } = document.body.dataset;
show(byId("leave"), signOut === "true");
const warn = banners();
const parts = [
  headline, tiles(), curves(), suspects, reasons(), deadlines, counted(), sessions(), detail(),
];

function top({ supervisor, running, uptime }) {
  text(byId("supervisor"), supervisor === title ? "" : supervisor);
  text(byId("uptime"), running ? `up ${duration(uptime)}` : "left");
}

follow({
  update(overview) {
    warn.update(overview);
    top(overview);
    for (const part of parts) part(overview);
  },
  state(now) {
    text(byId("connection-word"), STATES[now.word]);
    set(byId("connection"), "data-state", now.word);
    warn.stream(now);
  },
});
