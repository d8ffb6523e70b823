// Publications and what became of them, live while they run.

import { html, useEffect, useState } from "../vendor/preact.js";
import { part } from "../api.js";
import { Attempt } from "../attempt.js";
import { Parts } from "../charts.js";
import { bare, number, plural } from "../format.js";
import { go, link } from "../router.js";
import { Badge, Choice, Facts, Heading, Long, Notice, Pages, Panel, Time, sentence, useAnswer, usePages } from "../ui.js";

/** How often the receipt of a publication is asked for, in seconds: while it runs, and then. */
const [LIVE, STILL] = [1, 15];
/** States in which nothing happens any more. */
const OVER = ["complete", "failed", "unchanged", "unheard"];

/** How a state is coloured. */
export const stateKind = (state) => ({ complete: "good", retrying: "warn", failed: "bad", delivering: "busy", fetching: "busy" })[state] || "";

/** What became of a publication's targets, as the parts of a bar. */
export const receiptParts = (it) => [
  ["delivered", it.delivered, "good"],
  ["in backlog", it.in_backlog, "warn"],
  ["given up", it.given_up, "bad"],
  ["gone", it.gone, "gone"],
];

/** How many have got it, as a bar. While it is on its way the hub may know of more than it has visited. */
export const Progress = ({ receipt: it }) => html`<span class="count">${number(it.delivered)} of ${number(Math.max(it.targets, it.delivered + it.in_backlog + it.given_up + it.gone))}</span><${Parts} label="Targets" parts=${receiptParts(it)} />`;

const STATES = [["", "All"], ["fetching", "Fetching"], ["delivering", "Delivering"], ["retrying", "Retrying"], ["failed", "Failed"], ["complete", "Complete"]];

export function PublicationList({ query }) {
  return html`
    <${Heading} title="Publications" lead="What was announced, newest first, and what became of it." />
    <${Choice} label="State" options=${STATES} value=${query.state || ""} onChoose=${(state) => go("/publications", { ...query, state }, { replace: true })} />
    <${Panel}>
      ${query.topic && html`<p>Of the topic <${Long}>${query.topic}<//> only. <a href=${link("/publications", { state: query.state })}>Show all</a></p>`}
      <${Publications} query=${query} />
    <//>`;
}

/** A list of them; of one topic, that is not named. */
export function Publications({ query: { topic, state } }) {
  const pages = usePages("receipts", { topic, state }, { every: 2, cursor: "before" });
  const when = (it) => html`<a href=${`#/publications/${it.id}`}>${topic ? html`<${Time} at=${it.accepted_at} />` : html`<${Long}>${bare(it.topic)}<//>`}</a>`;
  const columns = [
    { head: topic ? "Accepted" : "Topic", cell: when },
    { head: "State", cell: (it) => html`<${Badge} kind=${stateKind(it.state)}>${it.state}<//>` },
    !topic && { head: "Accepted", cell: (it) => html`<${Time} at=${it.accepted_at} />` },
    { head: "Delivered", cell: (it) => html`<${Progress} receipt=${it} />` },
    { head: "Note", cell: (it) => it.reason || note(it) },
  ].filter(Boolean);
  return html`<${Pages} pages=${pages} caption="Publications" id=${(it) => it.id} empty=${topic || state ? "There is none of this kind." : "Nothing has been published yet."} columns=${columns} />`;
}

function note(it) {
  const parts = [it.in_backlog && `${number(it.in_backlog)} in backlog`, it.given_up && `${number(it.given_up)} given up`, it.gone && `${number(it.gone)} gone`];
  return parts.filter(Boolean).join(", ") || "–";
}

const MEANING = {
  fetching: "Its content is being fetched.",
  unchanged: "The content was what it was before, so nobody was told.",
  unheard: "Nobody subscribes to the topic, so there was nothing to do.",
  failed: "Its content could not be had.",
  delivering: "It is on its way.",
  retrying: "Everybody has been called; some will be called again.",
  complete: "It is done.",
};

export function Publication({ params }) {
  const path = `receipts/${part(params.id)}`;
  const [isOver, setOver] = useState(false);
  const { answer: it, error } = useAnswer(path, undefined, { every: isOver ? STILL : LIVE });
  useEffect(() => setOver(OVER.includes(it?.state)), [it?.state]);
  const back = { href: "#/publications", text: "Publications" };
  if (!it) return html`<${Heading} title="Publication" back=${back} />${error ? html`<${Notice} kind="bad">${sentence(error.message)}<//>` : html`<p class="empty">Loading…</p>`}`;
  if (it.receipts) return html`<${Bundle} bundle=${it} back=${back} />`;
  const took = it.last_delivery && new Date(it.last_delivery) - new Date(it.accepted_at);
  const missing = it.in_backlog + it.given_up + it.gone;
  return html`
    <${Heading} title=${bare(it.topic)} back=${back} lead=${MEANING[it.state]} />
    <dl class="figures">
      <div><dt>Delivered</dt><dd>${number(it.delivered)}</dd><dd class="note">of ${plural(it.targets, "target")}</dd></div>
      <div><dt>In backlog</dt><dd>${number(it.in_backlog)}</dd><dd class="note">called again later</dd></div>
      <div><dt>Given up</dt><dd>${number(it.given_up)}</dd><dd class="note">too old, or too much waited</dd></div>
      <div><dt>Gone</dt><dd>${number(it.gone)}</dd><dd class="note">ended before they got it</dd></div>
    </dl>
    <${Panel} title="Receipt">
      <${Parts} label="Targets" parts=${receiptParts(it)} />
      <${Facts} rows=${[
        ["State", html`<${Badge} kind=${stateKind(it.state)}>${it.state}<//>`],
        ["Reason", it.reason],
        ["Topic", html`<a href=${link("/topics", { search: it.topic })}>${it.topic}</a>`],
        ["Accepted", html`<${Time} at=${it.accepted_at} />`],
        ["First delivery", it.first_delivery && html`${number(new Date(it.first_delivery) - new Date(it.accepted_at))} ms later`],
        ["Last delivery", it.last_delivery && html`${number(took)} ms later, <${Time} at=${it.last_delivery} />`],
        ["Id", html`<code>${it.id}</code>`],
      ]} />
    <//>
    ${missing > 0 && html`<${Panel} title="Who has not got it"><${Missing} path=${`${path}/missing`} /><//>`}`;
}

function Missing({ path }) {
  const pages = usePages(path);
  return html`<${Pages} pages=${pages} caption="Targets that have not got it" id=${(it) => it.target} columns=${[
    { head: "Callback", cell: (it) => html`<a href=${it.hook ? `#/webhooks/${it.hook}` : `#/subscriptions/${it.target}`}><${Long}>${bare(it.callback)}<//></a>` },
    { head: "State", cell: (it) => html`<${Badge} kind=${it.state === "backlog" ? "warn" : "bad"}>${it.state.replace("_", " ")}<//>` },
    { head: "Last attempt", cell: (it) => (it.last_attempt ? html`<${Attempt} attempt=${it.last_attempt} />` : "none yet") },
  ]} />`;
}

/** A ping of several topics. */
function Bundle({ bundle, back }) {
  return html`
    <${Heading} title="A ping of several topics" back=${back} lead=${html`Accepted <${Time} at=${bundle.accepted_at} />.`} />
    <${Panel}><ul>${bundle.receipts.map((it) => html`<li key=${it.topic}><${Badge} kind=${stateKind(it.state)}>${it.state}<//> ${it.id ? html`<a href=${`#/publications/${it.id}`}>${it.topic}</a>` : it.topic}</li>`)}</ul><//>`;
}
