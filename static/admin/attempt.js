// One attempt to deliver: how it ended, and the beginning of what was answered.

import { html } from "./vendor/preact.js";
import { number } from "./format.js";
import { Badge, Time } from "./ui.js";

/** The ways in which no answer comes, in words. */
const WHY = {
  refused: "not allowed",
  resolve: "no address",
  connect: "no connection",
  tls: "no secure connection",
  timeout: "no answer in time",
  protocol: "broken off",
  unfit: "did not fit",
};

/** How an attempt ended; `bare` leaves out when it was and what it took. */
export function Attempt({ attempt: it, bare }) {
  const isGood = it.status >= 200 && it.status < 300;
  return html`<${Badge} kind=${isGood ? "good" : "bad"}>${it.status || WHY[it.failure] || it.failure}<//>
    ${!bare && html` <${Time} at=${it.at} /> in ${number(it.millis)} ms`}
    ${(it.excerpt || it.detail) && html`<div class="excerpt">${it.detail || html`<code>${it.excerpt}</code>`}</div>`}`;
}
