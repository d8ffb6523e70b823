// Subscriptions: a list to search, and one with its lease, what it has not got, and what can be done with it.

import { html } from "../vendor/preact.js";
import { del, part, post } from "../api.js";
import { bare, bytes, number, plural } from "../format.js";
import { go, link } from "../router.js";
import { Attempt } from "../attempt.js";
import { Badge, Choice, Facts, Heading, Long, Notice, Pages, Panel, Search, Table, Time, ask, attempt, say, sentence, useAnswer, usePages } from "../ui.js";

/** A lease that ends within this time is worth a word, in milliseconds. */
const SOON = 24 * 3600 * 1000;

const SHOWN = [["", "All"], ["behind", "Behind"], ["unverified", "Not confirmed yet"]];

export function Subscriptions({ query }) {
  return html`
    <${Heading} title="Subscriptions" lead="Callbacks that the hub tells of new content." />
    <${Choice} label="Which" options=${SHOWN} value=${query.state || ""} onChoose=${(state) => go("/subscriptions", state === "unverified" ? { state } : { ...query, state }, { replace: true })} />
    <${Panel}>${query.state === "unverified" ? html`<${Unverified} />` : html`<${List} query=${query} />`}<//>`;
}

function List({ query }) {
  const { search, topic, callback_host, state } = query;
  const pages = usePages("subscriptions", { search, topic, callback_host, state });
  const filtered = search || topic || callback_host || state;
  return html`
    <${Search} path="/subscriptions" query=${query} fields=${[
      { name: "search", label: "Search", placeholder: "part of either URL" },
      { name: "topic", label: "Topic", placeholder: "https://example.org/feed.xml" },
      { name: "callback_host", label: "Callback host", placeholder: "reader.example" },
    ]} />
    <${Pages} pages=${pages} caption="Subscriptions" id=${(it) => it.id}
      empty=${filtered ? "No subscription fits." : "Nobody subscribes yet."} columns=${[
      { head: "Callback", cell: (it) => html`<a href=${`#/subscriptions/${it.id}`}><${Long}>${bare(it.callback)}<//></a>` },
      { head: "Topic", cell: (it) => html`<${Long}>${bare(it.topic)}<//>` },
      { head: "State", cell: (it) => html`<${State} subscription=${it} />` },
      { head: "Lease ends", cell: (it) => html`<${Time} at=${it.expires_at} />` },
      { head: "Signed", cell: (it) => (it.secret ? it.signature || "yes" : "no") },
    ]} />`;
}

function Unverified() {
  const pages = usePages("verifications");
  return html`<${Pages} pages=${pages} caption="Requests that are not confirmed yet" id=${(it) => it.id} empty="No request waits: every callback has said whether it meant it." columns=${[
    { head: "Callback", cell: (it) => html`<${Long}>${bare(it.callback)}<//>` },
    { head: "Topic", cell: (it) => html`<${Long}>${bare(it.topic)}<//>` },
    { head: "Wants to", cell: (it) => (it.renewal ? "be asked again" : it.mode) },
    { head: "Requested", cell: (it) => html`<${Time} at=${it.requested_at} />` },
    { head: "Unanswered", end: true, cell: (it) => number(it.unanswered) },
    { head: "Asked again", cell: (it) => html`<${Time} at=${it.next_attempt_at} due />` },
  ]} />`;
}

function State({ subscription: { in_backlog, expires_at } }) {
  if (in_backlog > 0) return html`<${Badge} kind="warn">${number(in_backlog)} behind<//>`;
  if (new Date(expires_at) < Date.now()) return html`<${Badge} kind="bad">lapsed<//>`;
  if (new Date(expires_at) - Date.now() < SOON) return html`<${Badge}>ends soon<//>`;
  return html`<${Badge} kind="good">active<//>`;
}

/** The later of two times, of which one may be missing. */
const later = (one, other) => (other && new Date(other) > new Date(one) ? other : one);

export function Subscription({ params }) {
  const path = `subscriptions/${part(params.id)}`;
  const found = useAnswer(path);
  const backlog = useAnswer(`${path}/backlog`);
  const again = () => {
    found.again();
    backlog.again();
  };
  const back = { href: "#/subscriptions", text: "Subscriptions" };
  const it = found.answer;
  if (!it) return html`<${Heading} title="Subscription" back=${back} />${found.error ? html`<${Notice} kind="bad">${sentence(found.error.message)}<//>` : html`<p class="empty">Loading…</p>`}`;
  const behind = backlog.answer;

  const verify = async () => {
    say("Asking the callback…", "");
    await attempt(() => post(`${path}/verify`), "The callback still wants it. Its lease begins anew.");
    again();
  };
  const tryNow = async () => {
    await attempt(() => post(`${path}/try`), "What waits is tried now.");
    again();
  };
  const deny = async () => {
    const given = await ask({
      title: "Deny this subscription?",
      text: html`<p>It ends at once, with ${plural(it.in_backlog, "publication that waits", "publications that wait")} for it. The callback <${Long}>${it.callback}<//> is told that the hub has ended it, and why. It may subscribe again.</p>`,
      yes: "End it and tell why",
      fields: [{ name: "reason", label: "Reason", hint: "The callback is told this. Leave it empty for a general one.", maxlength: 500 }],
    });
    if (given && (await attempt(() => post(`${path}/deny`, given.reason ? { reason: given.reason } : {}), "Ended; the callback is being told."))) go("/subscriptions");
  };
  const remove = async () => {
    const given = await ask({
      title: "Remove this subscription?",
      text: html`<p>It ends at once, and ${plural(it.in_backlog, "publication that waits", "publications that wait")} for it will not be delivered. The callback <${Long}>${it.callback}<//> is told nothing. It may subscribe again.</p>`,
      yes: "Remove it",
    });
    if (given && (await attempt(() => del(path), "Removed."))) go("/subscriptions");
  };

  return html`
    <${Heading} title=${bare(it.callback)} back=${back}>
      <button type="button" onClick=${verify}>Verify again</button>
      <button type="button" disabled=${it.in_backlog === 0} onClick=${tryNow}>Try now</button>
      <button type="button" class="danger" onClick=${deny}>Deny…</button>
      <button type="button" class="danger" onClick=${remove}>Remove…</button>
    <//>
    <${Panel} title="Subscription"><${Facts} rows=${[
      ["State", html`<${State} subscription=${it} />`],
      ["Topic", html`<a href=${link("/topics", { search: it.topic })}>${it.topic}</a>`],
      ["Callback", it.callback],
      ["Lease", html`ends <${Time} at=${it.expires_at} />; verified <${Time} at=${it.verified_at} />`],
      ["Active since", html`<${Time} at=${it.active_since} />`],
      ["Secret", it.secret ? html`yes; deliveries are signed with ${it.signature || "the hub's own method"}` : "none; deliveries are not signed"],
      ["From", it.from],
    ]} /><//>
    ${behind && html`
      <${Panel} title="Backlog" note=${behind.entries ? "What it has not got yet, oldest first." : ""}>
        ${behind.entries === 0 ? html`<p class="empty">Nothing waits: it has got everything so far.</p>` : html`
          <${Facts} rows=${[
            ["Waiting", `${plural(behind.entries, "publication")}, ${bytes(behind.bytes)}`],
            ["Failures in a row", number(behind.failures)],
            ["Next attempt", html`<${Time} at=${later(behind.next_attempt_at, behind.paused_until)} due />`],
            ["Its origin", behind.paused_until && html`does not answer; it is called again <${Time} at=${behind.paused_until} due />`],
          ]} />
          <${Table} caption="Publications that wait" rows=${behind.waiting} id=${(row) => row.publication} columns=${[
            { head: "Publication", cell: (row) => html`<a href=${`#/publications/${row.publication}`}>accepted <${Time} at=${row.accepted_at} /></a>` },
            { head: "Size", end: true, cell: (row) => bytes(row.size) },
            { head: "Last attempt", cell: (row) => (row.last_attempt ? html`<${Attempt} attempt=${row.last_attempt} />` : "not tried yet; an older one goes first") },
          ]} />
          ${behind.entries > behind.waiting.length && html`<p class="note">Only the oldest ${number(behind.waiting.length)} are shown.</p>`}`}
      <//>
      <${Panel} title="Last attempts" note="Failures, and what came after them, since the hub was started.">
        <${Table} caption="Last attempts" rows=${behind.attempts} id=${(row) => row.at} empty="No attempt has failed." columns=${[
          { head: "When", cell: (row) => html`<${Time} at=${row.at} />` },
          { head: "What came of it", cell: (row) => html`<${Attempt} attempt=${row} bare />` },
          { head: "Took", end: true, cell: (row) => `${number(row.millis)} ms` },
        ]} />
      <//>`}`;
}
