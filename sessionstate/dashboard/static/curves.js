/** Memory and sessions, over time or over requests. */

import { byId, colour, set, text } from "./dom.js";
import { bytes, clock, clockSeconds, count, moment } from "./words.js";

const MOST = 2_000; // points; beyond, every other one of the older half is dropped
const HEIGHTS = { memory: 190, live: 160 };
const BYTES = Array.from({ length: 44 }, (_, power) => 2 ** power); // between two lines of the grid
const WHOLE = [1, 2, 5].flatMap((step) => Array.from({ length: 9 }, (_, power) => step * 10 ** power))
  .sort((one, other) => one - other);
const MINUTE = 60;
const SLACK = 0.1; // of what is highest: less than that fills no plot, so that noise looks like noise
const FONT = "12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";

/** Make the plots; returns what adds to them. */
export function curves() {
  let samples = [];
  let over = "time";
  const plots = [memoryPlot(), livePlot()];

  function draw() {
    const points = over === "time" ? samples : byRequests(samples);
    for (const plot of plots) plot.draw(points, over);
  }

  for (const radio of document.querySelectorAll("input[name=over]")) {
    if (radio.checked) over = radio.value; // as a browser kept it over a reload
    radio.addEventListener("change", () => {
      over = radio.value;
      draw();
    });
  }
  document.addEventListener("themechange", () => plots.forEach((plot) => plot.recolour()));
  return ({ history, sample }) => {
    if (history) samples = [...history];
    if (!samples.length || samples.at(-1).at < sample.at) samples.push(sample);
    if (samples.length > MOST) samples = thinned(samples);
    draw();
  };
}

function thinned(samples) {
  const half = samples.length >> 1;
  return samples.filter((_, place) => place >= half || place % 2 === 0);
}

/** The last sample of each number of requests: a curve has one value at a place. */
const byRequests = (samples) =>
  samples.filter((sample, place) => sample.requests !== samples[place + 1]?.requests);

function memoryPlot() {
  return plot("memory", [["--accent", (sample) => sample.rss, ""]], bytes, BYTES, (points) => {
    const values = points.map((sample) => sample.rss);
    return `now ${bytes(values.at(-1))}, lowest ${bytes(Math.min(...values))}, ` +
      `highest ${bytes(Math.max(...values))}`;
  });
}

function livePlot() {
  const lines = [
    ["--accent", (sample) => sample.live, "live"],
    ["--bad", (sample) => sample.orphans, "orphans"],
  ];
  return plot("live", lines, count, WHOLE, (points) => {
    const last = points.at(-1);
    const most = Math.max(...points.map((sample) => sample.live));
    const orphans = last.orphans === null ? "orphans not counted" : `${count(last.orphans)} orphans`;
    return `now ${count(last.live)} live, ${orphans}; highest ${count(most)} live`;
  });
}

function plot(id, lines, words, incrs, summary) {
  const place = byId(id);
  const said = byId(`${id}-said`);
  let points = [];
  let over = "time";
  let chart = null;

  const at = (value) => (over === "time" ? moment(value) : `${count(value)} requests`);
  const cursor = (self) => {
    const index = self.cursor.idx ?? -1;
    const sample = index < 0 ? null : points[index - self.data[0].length + points.length];
    if (!sample) return rest();
    const values = lines.map(([, value, unit]) => [value(sample), unit])
      .filter(([value]) => value !== null)
      .map(([value, unit]) => (unit ? `${words(value)} ${unit}` : words(value)));
    return text(said, `${at(self.data[0][index])}: ${values.join(", ")}`);
  };
  const rest = () => text(said, points.length ? summary(points) : "nothing was measured yet");

  function make() {
    const { width } = place.getBoundingClientRect();
    chart = new window.uPlot(options(Math.max(width, 100)), data(), place);
    set(chart.root, "aria-hidden", "true"); // its caption says what is in it
  }

  function options(width) {
    const grid = { stroke: () => colour("--line"), width: 1 };
    const axis = { stroke: () => colour("--soft"), font: FONT, grid, ticks: { show: false } };
    return {
      width,
      height: HEIGHTS[id],
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false, x: false }, sync: { key: "sessionstate" } },
      scales: { x: { time: over === "time" }, y: { range: (_, low, high) => range(low, high) } },
      axes: [
        { ...axis, values: over === "time" ? times : counts, size: 26, space: 76 },
        { ...axis, values: (_, splits) => splits.map(words), size: 62, space: 30, incrs },
      ],
      series: [{}, ...lines.map(([name], index) => series(name, index))],
      hooks: { setCursor: [cursor] },
    };
  }

  const series = (name, index) => ({
    stroke: () => colour(name),
    width: 1.75,
    dash: index ? [5, 3] : undefined, // told apart without colour
    points: { show: points.length < 3, size: 5 },
    spanGaps: true,
  });
  const counts = (_, splits) => splits.map(count);
  const data = () => {
    const across = points.map((sample) => (over === "time" ? sample.at : sample.requests));
    const values = lines.map(([, value]) => points.map(value));
    if (across.length !== 1) return [across, ...values];
    // One point alone has no axis: it stands at the end of a minute, or of ten requests.
    return [[across[0] - (over === "time" ? MINUTE : 10), ...across],
      ...values.map((one) => [null, ...one])];
  };

  new ResizeObserver(() => {
    const { width } = place.getBoundingClientRect();
    if (chart && width && width !== chart.width) chart.setSize({ width, height: HEIGHTS[id] });
  }).observe(place);

  return {
    draw(samples, what) {
      const anew = what !== over || chart === null || points.length < 3;
      points = samples;
      over = what;
      if (anew) {
        chart?.destroy();
        make();
      } else {
        chart.setData(data());
      }
      if (chart.cursor.idx === null || chart.cursor.idx === undefined) rest();
    },
    recolour() {
      chart?.redraw(false, true);
    },
  };
}

/** Times at an axis: with seconds where lines are closer than a minute. */
const times = (_, splits, axis, space, step) =>
  splits.map((split) => (step < MINUTE ? clockSeconds(split) : clock(split)));

function range(low, high) {
  if (low === null || high === null) return [0, 1];
  const span = Math.max(high - low, high * SLACK, 1);
  const middle = (low + high) / 2;
  const bottom = Math.max(middle - span * 0.6, 0);
  return [bottom, Math.max(middle + span * 0.6, bottom + 1)];
}
