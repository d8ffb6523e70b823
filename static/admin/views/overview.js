// The overview: what needs attention, in words; then what the hub does, as charts; then the newest publications.

import { html, useState } from "../vendor/preact.js";
import { Chart, largest, mean } from "../charts.js";
import { bare, millis, number, plural, short, span } from "../format.js";
import { useLive } from "../live.js";
import { link } from "../router.js";
import { Badge, Choice, Heading, Long, Notice, Panel, Table, Time, sentence, useAnswer } from "../ui.js";
import { place } from "./hooks.js";
import { Progress, stateKind } from "./publications.js";

/** What the charts look back on: minutes, or none for the seconds since one came here. */
const SPANS = [["now", "3 minutes"], ["180", "3 hours"], ["1440", "24 hours"]];
/** A publication that has waited for longer is worth a word, in seconds. */
const OLD = 3600;
/** Fewer attempts that succeed are worth a word, in percent. */
const FEW = 95;

export function Overview() {
  const { snapshot, snapshots, connected } = useLive();
  const [look, setLook] = useState("now");
  const past = useAnswer(look === "now" ? null : "history", { minutes: look }, { every: 30 });
  const points = look === "now" ? snapshots : past.answer?.minutes || [];
  return html`
    <${Heading} title="Overview" lead="What the hub does at this moment, and what needs you." />
    ${!snapshot ? html`<p class="empty" role="status">${connected ? "Loading…" : "Connecting to the hub…"}</p>` : html`
      <${Attention} snapshot=${snapshot} snapshots=${snapshots} />
      <${Figures} snapshot=${snapshot} snapshots=${snapshots} />
      <${Panel} title="Over time" actions=${html`<${Choice} label="Time" options=${SPANS} value=${look} onChoose=${setLook} />`}>
        ${points.length === 0 ? html`<p class="empty">${past.loading ? "Loading…" : "Nothing yet: the first minute is still running."}</p>` : html`<${Charts} points=${points} each=${look === "now" ? "second" : "minute"} />`}
      <//>
      ${snapshot.origins.length > 0 && html`<${Origins} origins=${snapshot.origins} />`}
      <${Newest} publications=${snapshot.publications} />`}`;
}

/** The tops of the axis of ages, in seconds. */
const AGES = [10, 60, 600, 3600, 6 * 3600, 86400, 3 * 86400, 7 * 86400, 30 * 86400];

/** For how long what waits longest has waited at a point, in seconds; a snapshot and a minute tell it each in its way. */
function waited(point) {
  const { at, oldest } = point.backlog ? { at: point.at, oldest: point.backlog.oldest } : point;
  return oldest ? Math.max(0, (new Date(at) - new Date(oldest)) / 1000) : 0;
}

/** Seconds that a point covers: a snapshot tells, a minute has 60. The first snapshot comes at once, and tells of no rate. */
const seconds = (point) => Math.max(point.seconds || 60, 1);
const done = (point) => point.done || point;

/** What was done in the last so many snapshots, together. */
function lately(snapshots, count) {
  const some = snapshots.slice(-count);
  const sum = (name) => some.reduce((all, it) => all + it.done[name], 0);
  return { seconds: some.reduce((all, it) => all + it.seconds, 0), delivered: sum("delivered"), failed: sum("failed"), given_up: sum("given_up") };
}

const rate = ({ delivered, failed }) => (delivered + failed ? (delivered / (delivered + failed)) * 100 : null);

function Attention({ snapshot, snapshots }) {
  const hooks = useAnswer("hooks", { state: "disabled", limit: 100 }, { every: 60 }).answer?.items || [];
  const disabled = hooks.filter((hook) => hook.disabled_because);
  const words = [];
  for (const stall of snapshot.stalls) words.push(["bad", html`The work stands still: ${stall}.`]);
  const failing = snapshot.origins.filter((it) => FAILS.includes(it.reason));
  for (const it of failing.slice(0, 3)) words.push([it.paused_until ? "bad" : "warn", html`<b>${bare(it.origin)}</b> ${why(it)}${it.failing_since && html`: ${it.failures > 1 ? html`${number(it.failures)} failures in a row, the first` : "for the first time"} <${Time} at=${it.failing_since} />`}${it.paused_until && html`; it is called again <${Time} at=${it.paused_until} due />`}. <${Who} origin=${it.origin} />`]);
  if (failing.length > 3) words.push(["warn", failing.length === 4 ? "One more origin fails; it is listed below." : `${failing.length - 3} more origins fail; they are listed below.`]);
  if (failing.length === 0 && snapshot.open_circuits > 0) words.push(["warn", `${plural(snapshot.open_circuits, "origin is", "origins are")} not called for a while: no answer came.`]);
  for (const hook of disabled.slice(0, 3)) words.push(["bad", html`The hub has disabled the webhook <a href=${`#/webhooks/${hook.id}`}><${Long}>${place(hook)}<//></a>: ${sentence(hook.disabled_because)}`]);
  if (disabled.length > 3) words.push(["bad", html`It has disabled ${disabled.length - 3} more. <a href=${link("/webhooks", { state: "disabled" })}>All that are disabled</a>`]);
  const { backlog } = snapshot;
  const age = backlog.oldest ? (new Date(snapshot.at) - new Date(backlog.oldest)) / 1000 : 0;
  if (age > OLD) words.push(["warn", html`${plural(backlog.targets, "target")} ${backlog.targets === 1 ? "is" : "are"} behind; what waits longest has waited for ${span(age)}. <a href=${link("/subscriptions", { state: "behind" })}>Who is behind</a>`]);
  const last = lately(snapshots, 60);
  if (rate(last) !== null && rate(last) < FEW && last.failed > 5) words.push(["warn", `Of the last minute's attempts, ${number(last.failed)} of ${number(last.delivered + last.failed)} failed.`]);
  if (last.given_up > 0) words.push(["bad", `${plural(last.given_up, "publication was", "publications were")} given up in the last minute.`]);
  return html`<section aria-label="What needs attention" class="attention">${words.length === 0
    ? html`<${Notice} kind="good"><b>All is well.</b> ${backlog.entries === 0 ? "Nothing waits, and no origin fails." : `No origin fails; ${plural(backlog.entries, "delivery waits", "deliveries wait")} for another try.`}<//>`
    : words.map(([kind, text], at) => html`<${Notice} key=${at} kind=${kind}>${text}<//>`)}</section>`;
}

/** How an origin failed last. */
function why({ status, failure }) {
  if (status) return `answers with status ${status}`;
  return { resolve: "has no address", connect: "accepts no connection", tls: "makes no secure connection", timeout: "does not answer in time", protocol: "breaks off" }[failure] || "fails";
}

const host = (origin) => new URL(origin).hostname;

/** Whom an origin takes requests for. */
const Who = ({ origin }) => html`<a href=${link("/subscriptions", { callback_host: host(origin) })}>Its subscriptions</a>, <a href=${link("/webhooks", { search: bare(origin) })}>webhooks</a>`;

function Figures({ snapshot, snapshots }) {
  const last = lately(snapshots, 10);
  const success = rate(lately(snapshots, 60));
  const { backlog } = snapshot;
  const measured = snapshots.findLast((it) => it.done.p50_ms !== null);
  const age = backlog.oldest && span((new Date(snapshot.at) - new Date(backlog.oldest)) / 1000);
  return html`<dl class="figures">
    <div><dt>Deliveries per second</dt><dd>${short(last.delivered / Math.max(last.seconds, 1))}</dd><dd class="note">${snapshot.in_flight ? number(snapshot.in_flight) : "none"} under way</dd></div>
    <div><dt>Success</dt><dd>${success === null ? "–" : `${success.toFixed(success < 100 && success > 99 ? 2 : 1).replace(/\.0$/, "")} %`}</dd><dd class="note">${success === null ? "no attempt in the last minute" : "of the last minute's attempts"}</dd></div>
    <div><dt>Latency</dt><dd>${millis(measured?.done.p50_ms)}</dd><dd class="note">p99 ${millis(measured?.done.p99_ms)}</dd></div>
    <div><dt>Backlog</dt><dd>${short(backlog.entries)}</dd><dd class="note">${backlog.entries === 0 ? "nothing waits" : html`<a href=${link("/subscriptions", { state: "behind" })}>${plural(backlog.targets, "target")}</a>, oldest ${age}`}</dd></div>
  </dl>`;
}

function Charts({ points, each: step }) {
  const times = points.map((point) => point.at);
  const ages = points.map(waited);
  const each = (value) => points.map((point) => value(done(point), seconds(point), point));
  const percent = (value) => `${value.toFixed(value % 1 ? 1 : 0)} %`;
  return html`<div class="charts">
    <${Chart} title="Attempts a second" times=${times} write=${short} unit="attempts a second" series=${[
      { name: "delivered", values: each((it, seconds) => it.delivered / seconds) },
      { name: "failed", values: each((it, seconds) => it.failed / seconds) },
    ]} />
    <${Chart} title="Latency" times=${times} write=${millis} unit="milliseconds" gathered=${largest} series=${[
      { name: "p99", values: each((it) => it.p99_ms) },
      { name: "p50", values: each((it) => it.p50_ms) },
    ]} />
    <${Chart} title="Success" times=${times} write=${percent} unit="percent of the attempts" top=${100} gathered=${mean} series=${[
      { name: "success", values: each((it) => rate(it)) },
    ]} />
    <${Chart} title=${`Publications a ${step}`} times=${times} write=${short} unit=${`publications a ${step}`} series=${[
      { name: "published", values: each((it) => it.published) },
    ]} />
    <${Chart} title="Deliveries that wait" times=${times} write=${short} unit="deliveries that wait" gathered=${largest} series=${[
      { name: "waiting", values: each((it, seconds, point) => (point.backlog ? point.backlog.entries : point.waiting)) },
    ]} />
    <${Chart} title="Age of the oldest that waits" times=${times} write=${span} unit="seconds" top=${AGES.find((it) => it >= Math.max(...ages))} gathered=${largest} series=${[
      { name: "age", values: ages },
    ]} />
  </div>`;
}

/** What a reason is called here, and how grave it is. */
const REASONS = { circuit_open: ["paused", "bad"], failing: ["failing", "warn"], crowded: ["busy"], slow: ["slow"], disabled: ["disabled"], catching_up: ["catching up"] };
const FAILS = ["circuit_open", "failing"];

/** More about an origin's reason. */
function because(it) {
  if (FAILS.includes(it.reason)) return why(it);
  return { crowded: "more is to go there than may at a time", slow: `it usually takes ${millis(it.usual_ms)} to answer`, disabled: "its webhooks are", catching_up: "it gets what it has missed, or at its pace" }[it.reason];
}

function Origins({ origins }) {
  return html`<${Panel} title="Late origins" note="Those that are worst off, as the metrics name them: first those that fail, then those for which most waits.">
    <${Table} caption="Late origins" rows=${origins} id=${(it) => it.origin} columns=${[
      { head: "Origin", cell: (it) => html`<a href=${link("/subscriptions", { callback_host: host(it.origin) })}><${Long}>${bare(it.origin)}<//></a>` },
      { head: "Why", cell: (it) => html`<${Badge} kind=${REASONS[it.reason][1]}>${REASONS[it.reason][0]}<//> ${because(it)}` },
      { head: "Waiting", end: true, cell: (it) => number(it.backlog) },
      { head: "In a row", end: true, cell: (it) => number(it.failures) },
      { head: "Since", cell: (it) => html`<${Time} at=${it.failing_since} />` },
      { head: "Called again", cell: (it) => html`<${Time} at=${it.paused_until} due empty="with the next delivery" />` },
      { head: "Under way", end: true, cell: (it) => number(it.in_flight) },
    ]} />
  <//>`;
}

function Newest({ publications }) {
  return html`<${Panel} title="Newest publications" actions=${html`<a href="#/publications">All</a>`}>
    <${Table} caption="Newest publications" rows=${publications} id=${(it) => it.id} empty="Nothing has been published yet." columns=${[
      { head: "Topic", cell: (it) => html`<a href=${`#/publications/${it.id}`}><${Long}>${bare(it.topic)}<//></a>` },
      { head: "State", cell: (it) => html`<${Badge} kind=${stateKind(it.state)}>${it.state}<//>` },
      { head: "Accepted", cell: (it) => html`<${Time} at=${it.accepted_at} />` },
      { head: "Delivered", cell: (it) => html`<${Progress} receipt=${it} />` },
    ]} />
  <//>`;
}
