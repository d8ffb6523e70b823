// Settings: how the hub is, what is set and by whom, and tokens.

import { html, useState } from "../vendor/preact.js";
import { del, part, post } from "../api.js";
import { plural, span } from "../format.js";
import { ROLES } from "../views.js";
import { Badge, Facts, Field, Heading, Notice, Pages, Panel, Raw, Table, Time, ask, attempt, sentence, useAnswer, usePages } from "../ui.js";

export function Settings() {
  return html`
    <${Heading} title="Settings" lead="How this hub is, how it is set, and who may do what." />
    <${Health} />
    <${Tokens} />
    <${Effective} />`;
}

function Health() {
  const { answer: it, error } = useAnswer("about");
  if (!it) return error ? html`<${Notice} kind="bad">${sentence(error.message)}<//>` : null;
  return html`<${Panel} title="Health">
    ${it.troubles.length === 0 ? html`<${Notice} kind="good"><b>Ready.</b> The store can be written to, and the work gets on.<//>` : it.troubles.map((trouble) => html`<${Notice} kind="bad" key=${trouble}>${sentence(trouble)}<//>`)}
    <${Facts} rows=${[
      ["Version", it.version],
      ["URL", it.url],
      ["Running for", span((new Date(it.now) - new Date(it.started_at)) / 1000)],
      ["Damaged rows", it.quarantined_rows > 0 && `${plural(it.quarantined_rows, "row")} of the store could not be read and were set aside`],
    ]} />
  <//>`;
}

function Tokens() {
  const pages = usePages("tokens", undefined, { every: 30 });
  const [isMaking, setMaking] = useState(false);
  const [made, setMade] = useState(null);
  const revoke = async (token) => {
    const given = await ask({
      title: `Revoke ${token.name}?`,
      text: "Whoever holds this token may do nothing with it from now on, and is signed out here. This cannot be taken back; you can make a new one.",
      yes: "Revoke it",
    });
    if (given && (await attempt(() => del(`tokens/${part(token.id)}`), `${token.name} is revoked.`))) pages.again();
  };
  const done = (token) => {
    setMaking(false);
    setMade(token);
    pages.again();
  };
  return html`<${Panel} title="Tokens" note="Those of the settings are not listed." actions=${!isMaking && html`<button type="button" onClick=${() => { setMade(null); setMaking(true); }}>New token…</button>`}>
    ${made && html`<${Notice} kind="good"><p><b>${made.name}</b> is made. This is its text; it is shown this once, and the hub keeps only its hash.</p><${Raw} label="The new token" text=${made.token} /><p class="after"><button type="button" onClick=${() => setMade(null)}>I have it</button></p><//>`}
    ${isMaking && html`<${NewToken} onDone=${done} onCancel=${() => setMaking(false)} />`}
    <${Pages} pages=${pages} caption="Tokens" id=${(it) => it.id} empty="No token has been given out." columns=${[
      { head: "Name", cell: (it) => it.name },
      { head: "Role", cell: (it) => html`<${Badge}>${it.role}<//>` },
      { head: "Sources", cell: (it) => (it.sources.includes("*") ? "all" : it.sources.join(", ")) },
      { head: "Events", cell: (it) => it.events.join(", ") || "all" },
      { head: "Made", cell: (it) => html`<${Time} at=${it.created_at} />` },
      { head: "Expires", cell: (it) => (it.expires_at && new Date(it.expires_at) < Date.now() ? html`<${Badge} kind="bad">expired<//>` : html`<${Time} at=${it.expires_at} empty="never" />`) },
      { head: "Revoke", cell: (it) => html`<button type="button" class="danger" aria-label=${`Revoke ${it.name}…`} onClick=${() => revoke(it)}>Revoke…</button>` },
    ]} />
  <//>`;
}

function NewToken({ onDone, onCancel }) {
  const [wish, setWish] = useState({ name: "", role: "publisher", sources: "*", events: "", expires_in: "" });
  const [error, setError] = useState(null);
  const set = (name) => (value) => setWish({ ...wish, [name]: value });
  const words = (text) => text.split(/[\s,]+/).filter(Boolean);
  const submit = async (event) => {
    event.preventDefault();
    try {
      const { name, role, expires_in } = wish;
      onDone(await post("tokens", { name, role, sources: words(wish.sources), events: words(wish.events), ...(expires_in && { expires_in }) }));
    } catch (refusal) {
      setError(sentence(refusal.message));
    }
  };
  // The hub names the field first, where one is wrong.
  const [, field] = (error || "").match(/^(Name|Role|Sources|Events|Expires_in):/) || [];
  const wrong = (name) => (field?.toLowerCase() === name ? error.slice(field.length + 2) : undefined);
  return html`<form class="inset" onSubmit=${submit}>
    ${error && !field && html`<${Notice} kind="bad">${error}<//>`}
    <div class="split">
      <${Field} label="Name" value=${wish.name} onInput=${set("name")} error=${wrong("name")} hint="For you to know it by." required autofocus maxlength="200" />
      <${Field} label="Role" kind="select" options=${ROLES} value=${wish.role} onInput=${set("role")} error=${wrong("role")} hint="Each may what those before it may." />
      <${Field} label="Sources" value=${wish.sources} onInput=${set("sources")} error=${wrong("sources")} hint="Such as social, octocat/*, or * for all." required />
      <${Field} label="Events" value=${wish.events} onInput=${set("events")} error=${wrong("events")} hint="Such as account.*; none is all." />
      <${Field} label="Expires in" value=${wish.expires_in} onInput=${set("expires_in")} error=${wrong("expires_in")} hint="Such as 90d or 12h; empty is never." />
    </div>
    <div class="actions"><button type="submit" class="main">Make it</button><button type="button" onClick=${onCancel}>Cancel</button></div>
  </form>`;
}

function Effective() {
  const { answer } = useAnswer("settings", undefined, { every: 600 });
  const [search, setSearch] = useState("");
  const [onlySet, setOnlySet] = useState(false);
  if (!answer) return null;
  const fits = (it) => it.key.includes(search.trim().toLowerCase()) && (!onlySet || it.origin !== "default");
  return html`<${Panel} title="Effective settings" note="They are changed in config.toml, by variables or flags, and take effect with a restart.">
    <div class="filters">
      <${Field} label="Search" kind="search" value=${search} onInput=${setSearch} placeholder="delivery" />
      <${Field} label="Only what was set" kind="checkbox" value=${onlySet} onInput=${setOnlySet} />
    </div>
    <${Table} caption="Effective settings" rows=${answer.settings.filter(fits)} empty="No setting fits." columns=${[
      { head: "Setting", cell: (it) => html`<code>${it.key}</code>` },
      { head: "Value", cell: (it) => html`<code class="long">${it.value}</code>` },
      { head: "From", cell: (it) => (it.origin === "default" ? html`<span class="note">default</span>` : html`<code>${it.origin}</code>`) },
    ]} />
  <//>`;
}
