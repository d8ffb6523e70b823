// Sources: what raises events. The list; and one, with its events, its inbox, and test events.

import { html, useState } from "../vendor/preact.js";
import { call, del, part, post, put } from "../api.js";
import { plural, pretty } from "../format.js";
import { go, link } from "../router.js";
import { ask, attempt, Badge, Copy, Facts, Field, Heading, Long, Notice, Pages, Panel, Raw, sentence, Time, useAnswer, usePages } from "../ui.js";
import { Events, HookState, keeps, place } from "./hooks.js";

const DIALECTS = ["websub", "mastodon", "pleroma", "muut", "socialgateway"];
const ROLES = ["reader", "publisher", "manager", "admin"];
const isAdmin = (session) => session.role === "admin";
/** A source's name has a slash in it, or not; the hub takes it as it is. */
const at = (name) => `sources/${name.split("/").map(part).join("/")}`;

export function Sources({ session }) {
  const pages = usePages("sources");
  const declare = async () => {
    const given = await ask({
      title: "Declare a source",
      text: "Something that raises named events: a forum, an instance, a repository, a program of yours.",
      yes: "Declare it",
      danger: false,
      fields: [
        { name: "name", label: "Name", required: true, hint: "One part or two, such as social or octocat/hello-world." },
        { name: "dialect", label: "Dialect", kind: "select", value: "websub", options: DIALECTS, hint: "In whose layout its events are." },
        { name: "events", label: "Further events", hint: "Besides those of its dialect, with commas between them." },
      ],
    });
    if (!given) return;
    const body = { dialect: given.dialect, events: list(given.events) };
    if (await attempt(() => put(at(given.name.trim()), body), "Declared.")) go(`/sources/${part(given.name.trim())}`);
  };
  return html`
    <${Heading} title="Sources" lead="What raises events, and in whose layout.">
      ${isAdmin(session) && html`<button type="button" class="main" onClick=${declare}>Declare a source…</button>`}
    <//>
    <${Panel}>
      <${Pages} pages=${pages} caption="Sources" id=${(it) => it.name} empty="There is no source yet." columns=${[
        { head: "Name", cell: (it) => html`<a href=${`#/sources/${part(it.name)}`}><${Long}>${it.name}<//></a>` },
        { head: "Dialect", cell: (it) => it.dialect },
        { head: "Events", cell: (it) => plural(it.catalogue.length, "event") },
        { head: "Who reads", cell: (it) => (it.private ? html`<${Badge}>private<//>` : "everybody") },
        { head: "Declared", cell: (it) => html`<${Time} at=${it.created_at} />` },
      ]} />
    <//>`;
}

const list = (text) => text.split(/[\s,]+/).filter(Boolean);

export function Source({ session, params }) {
  const path = at(params.name);
  const { answer: source, error, again } = useAnswer(path);
  const back = { href: "#/sources", text: "Sources" };
  if (error) return html`<${Heading} title=${params.name} back=${back} /><${Notice} kind="bad">${sentence(error.message)}<//>`;
  if (!source) return html`<${Heading} title=${params.name} back=${back} /><p class="empty">Loading…</p>`;
  const change = async (body, done) => {
    if (await attempt(() => put(path, body), done)) again();
  };
  const edit = async () => {
    const given = await ask({
      title: "Change this source",
      text: "A webhook that asks for an event which would no longer be here stands against it.",
      yes: "Change it",
      danger: false,
      fields: [
        { name: "events", label: "Further events", value: source.events.join(", "), hint: "Besides those of its dialect, with commas between them." },
        { name: "private", label: "Who may read its events", kind: "select", value: source.private ? "yes" : "no", options: [["no", "everybody"], ["yes", "who has a token"]] },
      ],
    });
    if (given) change({ events: list(given.events), private: given.private === "yes" }, "Changed.");
  };
  const remove = async () => {
    const given = await ask({ title: `Declare ${source.name} no longer?`, text: "Nothing can raise its events any more, and its inbox takes nothing. What has been raised is still delivered. It must have no webhooks.", yes: "Drop it" });
    if (given && (await attempt(() => del(path), "Dropped."))) go("/sources");
  };
  const mayRaise = session.role !== "reader" && source.name !== "fanfare";
  return html`
    <${Heading} title=${source.name} back=${back} lead=${`${source.dialect}, ${plural(source.catalogue.length, "event")}, read by ${source.private ? "who has a token" : "everybody"}`}>
      ${isAdmin(session) && source.name !== "fanfare" && html`<button type="button" onClick=${edit}>Change…</button><button type="button" class="danger" onClick=${remove}>Drop…</button>`}
      ${keeps(session) && html`<a class="button" href=${link("/webhooks/new", { source: source.name })}>New webhook</a>`}
    <//>
    <div class="split">
      ${mayRaise && html`<${Raise} session=${session} source=${source} />`}
      <div>
        <${Inbox} session=${session} source=${source} onChange=${change} />
        ${isAdmin(session) && session.everywhere && html`<${Tokens} source=${source} />`}
      </div>
    </div>
    <${HooksOf} source=${source} />
    <${Panel} title="Events" note="Each is a topic that can be subscribed to.">
      <ul class="names">${source.catalogue.map((name) => html`<li key=${name}><a href=${`${source.topics}${name}`} rel="noreferrer"><code>${name}</code></a></li>`)}</ul>
    <//>`;
}

function HooksOf({ source }) {
  const pages = usePages("hooks", { source: source.name });
  return html`<${Panel} title="Webhooks">
    <${Pages} pages=${pages} caption="Webhooks of this source" id=${(hook) => hook.id} empty="Nobody is told of its events by a webhook." columns=${[
      { head: "Endpoint", cell: (hook) => html`<a href=${`#/webhooks/${hook.id}`}><${Long}>${place(hook)}<//></a>` },
      { head: "State", cell: (hook) => html`<${HookState} hook=${hook} />` },
      { head: "Events", cell: (hook) => html`<${Events} hook=${hook} />` },
    ]} />
  <//>`;
}

/** A test event, from the last that was raised or from an example. */
function Raise({ session, source }) {
  const [name, setName] = useState(source.catalogue[0] || "");
  const [payload, setPayload] = useState("");
  const [error, setError] = useState(null);
  const [receipt, setReceipt] = useState(null);
  const fill = () => attempt(async () => {
    const wish = { source: source.name, url: "https://receiver.example/", events: [name], dialect: "websub", event: name };
    setPayload(pretty((await post("hooks/preview", wish)).request.body));
    setError(null);
  });
  const raise = async (event) => {
    event.preventDefault();
    try {
      const raised = await call("POST", `/${source.name}/events/${name}`, { text: payload, type: "application/json" });
      setReceipt(raised);
      setError(null);
    } catch (refusal) {
      setError(sentence(refusal.message));
      setReceipt(null);
    }
  };
  return html`<${Panel} title="Raise a test event" note="It goes to everybody who asked for it, as any other.">
    <form onSubmit=${raise}>
      <${Field} label="Event" kind="select" value=${name} options=${source.catalogue} onInput=${setName} />
      <${Field} label="Payload" kind="textarea" rows="12" spellcheck=${false} required value=${payload} onInput=${setPayload} error=${error} />
      <div class="actions">
        <button type="submit" class="main">Raise it</button>
        ${keeps(session) && html`<button type="button" onClick=${fill}>Fill in an example</button>`}
      </div>
    </form>
    ${receipt && html`<p class="after" role="status">Raised. ${session.everywhere && isAdmin(session) ? html`<a href=${`#/publications/${receipt.id}`}>What became of it</a>` : html`Its receipt: <${Long}>${receipt.receipt}<//>`}</p>`}
  <//>`;
}

function Inbox({ session, source, onChange }) {
  if (source.name === "fanfare") return null;
  const set = async () => {
    const given = await ask({ title: "Secret of the inbox", text: "Webhooks that come in are believed only if they are signed with it; give the sender the same.", yes: "Set it", danger: false, fields: [{ name: "secret", label: "Secret", required: true, kind: "password", autocomplete: "off" }] });
    if (given) onChange({ inbound_secret: given.secret }, "Set.");
  };
  const clear = async () => {
    const given = await ask({ title: "Have no secret for the inbox?", text: "Webhooks that come in are then believed only if they bring a publisher's token.", yes: "Have none" });
    if (given) onChange({ inbound_secret: null }, "It has none.");
  };
  return html`<${Panel} title="Inbox" note="Where webhooks of another system come in.">
    <${Facts} rows=${[
      ["Address", html`<code class="long">${source.inbox}</code> <${Copy} text=${source.inbox} label="Copy the address" />`],
      ["Secret", source.inbound_secret ? "there is one" : "none: it takes a publisher's token"],
    ]} />
    ${isAdmin(session) && html`<div class="actions after"><button type="button" onClick=${set}>${source.inbound_secret ? "Set another secret…" : "Set a secret…"}</button>${source.inbound_secret && html`<button type="button" class="quiet" onClick=${clear}>Have none…</button>`}</div>`}
  <//>`;
}

/** The tokens that are good for this source. */
function Tokens({ source }) {
  const pages = usePages("tokens", { source: source.name }, { every: 30 });
  const [shown, setShown] = useState(null);
  const give = async () => {
    const given = await ask({
      title: `A token for ${source.name}`,
      text: "It is good for this source alone, and shown once.",
      yes: "Make it",
      danger: false,
      fields: [
        { name: "name", label: "For whom", required: true },
        { name: "role", label: "Role", kind: "select", value: "publisher", options: ROLES },
        { name: "events", label: "For which events", hint: "Patterns such as account.*, with commas between them. Empty: all." },
        { name: "expires_in", label: "Expires in", hint: "Such as 90d. Empty: never." },
      ],
    });
    if (!given) return;
    const wish = { name: given.name, role: given.role, sources: [source.name], events: list(given.events) };
    if (given.expires_in.trim()) wish.expires_in = given.expires_in.trim();
    const issued = await attempt(() => post("tokens", wish));
    if (issued) setShown(issued.token);
    pages.again();
  };
  const revoke = async (token) => {
    const given = await ask({ title: `Revoke ${token.name}?`, text: "Whoever holds this token may do nothing with it from now on, here and at its other sources. This cannot be taken back; you can make a new one.", yes: "Revoke it" });
    if (given && (await attempt(() => del(`tokens/${token.id}`), `${token.name} is revoked.`))) pages.again();
  };
  return html`<${Panel} title="Tokens" actions=${html`<button type="button" onClick=${give}>New token…</button>`}>
    ${shown && html`<${Notice} kind="warn">The token, shown this once: <code class="long">${shown}</code> <${Copy} text=${shown} label="Copy the token" /><//>`}
    <${Pages} pages=${pages} caption="Tokens for this source" id=${(it) => it.id} empty="None is good for it." columns=${[
      { head: "For whom", cell: (it) => it.name },
      { head: "Role", cell: (it) => it.role },
      { head: "Expires", cell: (it) => html`<${Time} at=${it.expires_at} empty="never" />` },
      { head: "", cell: (it) => html`<button type="button" class="quiet" aria-label=${`Revoke ${it.name}…`} onClick=${() => revoke(it)}>Revoke…</button>` },
    ]} />
  <//>`;
}
