// Topics: a list to search, and one with what it says now, its other names, its last fetch, and its publications.

import { html, useState } from "../vendor/preact.js";
import { get, part, post } from "../api.js";
import { Chart, largest } from "../charts.js";
import { bare, bytes, number, plural, short } from "../format.js";
import { link } from "../router.js";
import { Badge, Facts, Heading, Long, Notice, Pages, Panel, Raw, Search, Time, attempt, sentence, useAnswer, usePages } from "../ui.js";
import { Publications } from "./publications.js";

export function Topics({ query }) {
  const pages = usePages("topics", { search: query.search });
  return html`
    <${Heading} title="Topics" lead="URLs whose changes are announced." />
    <${Panel}>
      <${Search} path="/topics" query=${query} fields=${[{ name: "search", label: "Search", placeholder: "part of the URL" }]} />
      <${Pages} pages=${pages} caption="Topics" id=${(it) => it.id} empty=${query.search ? "No topic fits." : "There are no topics yet: nobody has subscribed or published."} columns=${[
        { head: "Topic", cell: (it) => html`<a href=${`#/topics/${it.id}`}><${Long}>${bare(it.url)}<//></a>${it.alias_of && html`<div class="note">another name of <${Long}>${bare(it.alias_of)}<//></div>`}` },
        { head: "Subscribers", end: true, cell: (it) => number(it.subscribers) },
        { head: "Last publication", cell: (it) => (it.last_publication ? html`<a href=${`#/publications/${it.last_publication}`}><${Time} at=${madeAt(it.last_publication)} /></a>` : "none yet") },
        { head: "Last fetch", cell: (it) => (it.last_fetch ? html`<${Time} at=${it.last_fetch.at} />: ${it.last_fetch.outcome}` : "never") },
      ]} />
    <//>`;
}

/** When a publication was made: its id tells, in its first 48 bits. */
const madeAt = (id) => new Date(parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toISOString();

export function Topic({ params }) {
  const path = `topics/${part(params.id)}`;
  const { answer: it, error, again } = useAnswer(path);
  const back = { href: "#/topics", text: "Topics" };
  if (!it) return html`<${Heading} title="Topic" back=${back} />${error ? html`<${Notice} kind="bad">${sentence(error.message)}<//>` : html`<p class="empty">Loading…</p>`}`;
  const ping = async () => {
    await attempt(() => post(`${path}/ping`), "Pinged: the hub fetches it now, and tells its subscribers if it has changed.");
    again();
  };
  return html`
    <${Heading} title=${bare(it.url)} back=${back}><button type="button" onClick=${ping}>Ping now</button><//>
    <${Panel} title="Topic"><${Facts} rows=${[
      ["URL", it.url],
      ["Subscribers", html`<a href=${link("/subscriptions", { topic: it.url })}>${plural(it.subscribers, "subscription")}</a>`],
      ["Another name of", it.alias_of && html`<a href=${link("/topics", { search: it.alias_of })}>${it.alias_of}</a>`],
      ["Other names", it.aliases.length > 0 && html`<ul>${it.aliases.map((name) => html`<li key=${name}><a href=${link("/topics", { search: name })}>${name}</a></li>`)}</ul>`],
      ["Calls itself", it.self !== it.url && it.self],
      ["Names as hubs", it.hubs.length > 0 && html`<ul>${it.hubs.map((hub) => html`<li key=${hub}>${hub}</li>`)}</ul>`],
      ["Last fetch", it.last_fetch && html`<${Time} at=${it.last_fetch.at} />: ${it.last_fetch.outcome}`],
      ["Next fetch", it.next_fetch_at && html`<${Badge} kind="busy">queued<//> <${Time} at=${it.next_fetch_at} due />`],
      ["Last publication", it.last_publication && html`<a href=${`#/publications/${it.last_publication}`}><${Time} at=${madeAt(it.last_publication)} /></a>`],
    ]} /><//>
    <${Growth} path=${`${path}/subscribers`} />
    <${Content} path=${path} key=${it.last_publication} />
    <${Panel} title="Publications"><${Publications} query=${{ topic: it.url }} /><//>`;
}

/** Since when those subscribe who subscribe now. */
function Growth({ path }) {
  const { answer } = useAnswer(path, undefined, { every: 60 });
  if (!answer || answer.points.length === 0) return null;
  const { points, total, looked_at } = answer;
  const note = looked_at < total ? ` Estimated from ${number(looked_at)} of them.` : "";
  return html`<${Panel} title="Subscribers over time" note=${`Those of today, by when they began.${note}`}>
    <${Chart} title="Subscribers" times=${points.map((it) => it.at)} write=${short} unit="subscriptions" gathered=${largest} series=${[{ name: "subscribers", values: points.map((it) => it.subscribers) }]} />
  <//>`;
}

const PLACES = {
  hosted: "The hub serves it itself.",
  event: "The latest event of this name.",
  fetched: "Fetched from its URL just now.",
};

/** What it says now; a fetch asks somebody else's server, so only when somebody wants to see it. */
function Content({ path }) {
  const [state, set] = useState({});
  const load = async () => {
    set({ loading: true });
    try {
      set({ content: await get(`${path}/content`) });
    } catch (error) {
      set({ error });
    }
  };
  const { content, error, loading } = state;
  return html`<${Panel} title="What it says now" actions=${html`<button type="button" disabled=${loading} onClick=${load}>${loading ? "Loading…" : content ? "Load again" : "Show it"}</button>`}>
    ${error && html`<${Notice} kind="bad">${sentence(error.message)}<//>`}
    ${content ? html`
      <${Facts} rows=${[
        ["Found", PLACES[content.place]],
        ["Media type", content.content_type || "none given"],
        ["Size", bytes(content.size)],
        ["Since", content.since && html`<${Time} at=${content.since} />`],
      ]} />
      <${Raw} label="Content" text=${content.text} />
      ${!content.whole && html`<p class="note">The rest is not shown.</p>`}`
    : !error && html`<p class="empty">Content that the hub does not keep is fetched from its URL.</p>`}
  <//>`;
}
