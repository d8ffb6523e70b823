// Charts as small SVGs: lines over time, each with a title, a description in words, and the same as a table. Colours come from the style, and
// no line is told from another by its colour alone: one is dashed, and each is named with its newest value.

import { html } from "./vendor/preact.js";
import { clock, day, seconds } from "./format.js";
import { useId } from "./ui.js";

/** The rows of the table at most; of more points each so many are put together. */
const ROWS = 24;
/** Of a shorter time the seconds are told, in milliseconds. */
const SHORT = 10 * 60_000;
/** Of a longer time the dates are, too. */
const LONG = 36 * 3600_000;

/**
 * `times` and, for each of the `series` (`{ name, values, kind }`), a value or null for each time. `write` writes a value. `unit` is said in the
 * description; `top` is the top of the axis where that is known. `gathered` tells what becomes of several points in one row of the table: their mean or their largest.
 */
export function Chart({ title, times, series, write, unit = "", gathered = mean, top: fixed }) {
  const id = useId();
  const all = series.flatMap((line) => line.values).filter((value) => value !== null);
  const top = fixed || nice(Math.max(0, ...all));
  const time = writeTime(times);
  const last = (line) => line.values.findLast((value) => value !== null);
  const words = all.length === 0
    ? "Nothing was measured in this time."
    : series.map((line) => `${line.name}: ${shown(last(line), write)} now, ${shown(Math.max(0, ...line.values.filter((it) => it !== null)), write)} at most`).join("; ") + ".";
  return html`<figure class="chart">
    <figcaption><span>${title}</span>
      <span class="legend">${series.map((line, at) => html`<span class=${`key s${at}`} key=${line.name}>${series.length > 1 && html`<svg aria-hidden="true" viewBox="0 0 18 4"><path d="M0 2H18" /></svg>${line.name} `}<b>${shown(last(line), write)}</b></span>`)}</span>
    </figcaption>
    <div class="plot">
      <span class="axis top" aria-hidden="true">${write(top)}</span>
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-labelledby=${`${id}t ${id}d`}>
        <title id=${`${id}t`}>${title}</title><desc id=${`${id}d`}>${words}${unit ? ` In ${unit}.` : ""}</desc>
        <path class="grid" d="M0 0.5H100M0 50H100M0 99.5H100" />
        ${series.map((line, at) => html`<g class=${`s${at}`} key=${line.name}>${at === 0 && html`<path class="area" d=${area(line.values, top)} />`}<path class="line" d=${path(line.values, top)} /></g>`)}
      </svg>
      <span class="axis left" aria-hidden="true">${times.length ? time(times[0]) : ""}</span>
      <span class="axis right" aria-hidden="true">${times.length ? time(times[times.length - 1]) : ""}</span>
    </div>
    ${times.length > 0 && html`<details><summary>As a table</summary><div class="table-frame" tabindex="0" role="region" aria-label=${`${title}, as a table`}><table>
      <caption class="unseen">${title}</caption>
      <thead><tr><th scope="col">Until</th>${series.map((line) => html`<th scope="col" class="end">${line.name}</th>`)}</tr></thead>
      <tbody>${rows(times, series, gathered).map(([at, values]) => html`<tr><th scope="row">${time(at)}</th>${values.map((value) => html`<td class="end">${shown(value, write)}</td>`)}</tr>`)}</tbody>
    </table></div></details>`}
  </figure>`;
}

/** How much of a whole has come, as a bar: `parts` are `[name, count, kind]`. */
export function Parts({ label, parts }) {
  const whole = parts.reduce((sum, [, count]) => sum + count, 0);
  const words = parts.filter(([, count]) => count > 0).map(([name, count]) => `${count} ${name}`).join(", ") || "none";
  let at = 0;
  return html`<svg class="parts" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label=${`${label}: ${words}`}>
    <rect class="ground" width="100" height="4" />
    ${whole > 0 && parts.map(([name, count, kind]) => {
      const [from, wide] = [at, (count / whole) * 100];
      at += wide;
      return html`<rect key=${name} class=${kind} x=${from} width=${wide} height="4" />`;
    })}
  </svg>`;
}

/** The mean of what there is. */
export function mean(values) {
  const given = values.filter((value) => value !== null);
  return given.length ? given.reduce((sum, value) => sum + value, 0) / given.length : null;
}

/** The largest of what there is. */
export function largest(values) {
  const given = values.filter((value) => value !== null);
  return given.length ? Math.max(...given) : null;
}

/** The times of a minute or so with their seconds, those of days with their dates. */
function writeTime(times) {
  const span = times.length ? new Date(times[times.length - 1]) - new Date(times[0]) : 0;
  return span < SHORT ? seconds : span < LONG ? clock : day;
}

const shown = (value, write) => (value === null || value === undefined ? "–" : write(value));

/** The next round number above a value: the top of an axis. */
function nice(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 1.05) || 10 * power;
}

const x = (at, count) => (count < 2 ? 100 : (at / (count - 1)) * 100);
const y = (value, top) => 99 - (value / top) * 97;

/** The line through the values; it breaks where there is none. */
function path(values, top) {
  let pen = "M";
  return values.map((value, at) => {
    if (value === null) {
      pen = "M";
      return "";
    }
    const step = `${pen}${x(at, values.length).toFixed(2)} ${y(value, top).toFixed(2)}`;
    pen = "L";
    return step;
  }).join("");
}

/** The area below it, each unbroken piece by itself. */
function area(values, top) {
  const pieces = [];
  let piece = [];
  values.forEach((value, at) => {
    if (value !== null) piece.push([x(at, values.length), y(value, top)]);
    if (piece.length && (value === null || at === values.length - 1)) {
      pieces.push(piece);
      piece = [];
    }
  });
  return pieces.map((points) => `M${points[0][0].toFixed(2)} 100${points.map(([px, py]) => `L${px.toFixed(2)} ${py.toFixed(2)}`).join("")}L${points[points.length - 1][0].toFixed(2)} 100Z`).join("");
}

function rows(times, series, gathered) {
  const each = Math.ceil(times.length / ROWS);
  const made = [];
  for (let from = 0; from < times.length; from += each) {
    const to = Math.min(from + each, times.length);
    made.push([times[to - 1], series.map((line) => gathered(line.values.slice(from, to)))]);
  }
  return made.reverse();
}
