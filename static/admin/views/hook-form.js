// A webhook that is being made or edited: events by group, a template with a preview of what would be sent, mistakes at their place.

import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { ApiError, part, patch, post } from "../api.js";
import { plural, pretty } from "../format.js";
import { go } from "../router.js";
import { Badge, Facts, Field, Heading, Notice, Panel, Raw, sentence, useAnswer, useSettled } from "../ui.js";

const DIALECTS = ["websub", "mastodon", "pleroma", "muut", "socialgateway"];
const SIGNINGS = [["dialect", "as its dialect does"], ["both", "also as Standard Webhooks do"], ["standard", "only as Standard Webhooks do"]];

export function NewHook({ query }) {
  const [picked, pick] = useState(query.source || "");
  const sources = useAnswer("sources", { limit: 1000 }, { every: 60 });
  const names = sources.answer?.items.map((it) => it.name) || [];
  // Not set once the list is there: somebody may have picked one by then.
  const source = picked || names[0];
  const chosen = sources.answer?.items.find((it) => it.name === source);
  return html`
    <${Heading} title="New webhook" back=${{ href: "#/webhooks", text: "Webhooks" }} />
    ${sources.error && html`<${Notice} kind="bad">${sentence(sources.error.message)}<//>`}
    ${sources.answer && names.length === 0 && html`<${Notice}>There is no source that it could be told of. <a href="#/sources">Declare one first</a>.<//>`}
    ${names.length > 0 && html`<${Panel}><${Field} label="Source" kind="select" value=${source} options=${names} onInput=${pick} hint="Whose events it is told of; this stays so." /><//>`}
    ${chosen && html`<${Form} key=${chosen.name} source=${chosen} hook=${null} onKept=${(hook) => go(`/webhooks/${hook.id}`)} />`}`;
}

export function EditHook({ params }) {
  const { answer: hook, error } = useAnswer(`hooks/${part(params.id)}`, {}, { every: 3600 });
  const { answer: source } = useAnswer(hook && `sources/${hook.source}`, {}, { every: 3600 });
  const back = { href: `#/webhooks/${params.id}`, text: "The webhook" };
  return html`
    <${Heading} title="Edit webhook" back=${back} />
    ${error && html`<${Notice} kind="bad">${sentence(error.message)}<//>`}
    ${hook && source && html`<${Form} source=${source} hook=${hook} onKept=${() => go(`/webhooks/${params.id}`)} />`}`;
}

/** What the fields hold, from a hook or from nothing. */
function filled(source, hook) {
  const it = hook || {};
  return {
    url: it.url || "",
    content_type: it.content_type || "json",
    config: JSON.stringify(it.config || {}, null, 2),
    events: it.events || ["*"],
    dialect: it.dialect || source.dialect,
    signing: it.signing || "dialect",
    secret: "",
    template: it.template || "",
    filter: it.filter || "",
    rate: it.rate ? String(it.rate) : "",
    ordered: it.ordered || false,
    type_key: it.type_key || false,
    verify_tls: it.verify_tls !== false,
    headers: Object.entries(it.headers || {}).map(([name, value]) => `${name}: ${value}`).join("\n"),
  };
}

/** What is asked of the hub. */
function draft(fields, hook) {
  const isWeb = !hook || hook.url !== null;
  const body = {
    events: fields.events,
    dialect: fields.dialect,
    signing: fields.signing,
    template: fields.template.trim() ? fields.template : null,
    filter: fields.filter.trim() || null,
    rate: fields.rate.trim() ? Number(fields.rate) : null,
    ordered: fields.ordered,
    type_key: fields.type_key,
    verify_tls: fields.verify_tls,
    headers: Object.fromEntries(fields.headers.split("\n").filter((line) => line.trim()).map((line) => {
      const at = line.indexOf(":");
      return at < 0 ? [line.trim(), ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    })),
  };
  if (isWeb) Object.assign(body, { url: fields.url.trim(), content_type: fields.content_type });
  else Object.assign(body, { name: hook.name, config: JSON.parse(fields.config) });
  if (fields.secret) body.secret = fields.secret;
  return body;
}

function Form({ source, hook, onKept }) {
  const [fields, setFields] = useState(() => filled(source, hook));
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const set = (name) => (value) => {
    setFields({ ...fields, [name]: value });
    if (error && error.field === name) setError(null);
  };
  const isWeb = !hook || hook.url !== null;
  const keep = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const body = draft(fields, hook);
      const kept = hook ? await patch(`hooks/${hook.id}`, body) : await post("hooks", { source: source.name, ...body });
      if (!hook) fresh.secret = { id: kept.id, secret: kept.secret };
      onKept(kept);
    } catch (refusal) {
      setError(refusal instanceof ApiError ? refusal : new ApiError(0, { error: refusal.message, field: "config" }));
      setBusy(false);
    }
  };
  const of = (name) => wrong(error, name);
  const isPlaced = error && PLACED.includes(error.field || nameOf(error));
  return html`<form class="hook-form" onSubmit=${keep}>
    <div class="split">
      <div>
        <${Panel} title="Endpoint">
          ${isWeb
            ? html`<${Field} label="URL" kind="url" required value=${fields.url} onInput=${set("url")} error=${of("url")} placeholder="https://receiver.example/hook" />
              <${Field} label="Body" kind="select" value=${fields.content_type} options=${[["json", "JSON"], ["form", "a form with the JSON in its field payload"]]} onInput=${set("content_type")} error=${of("content_type")} />
              <${Field} label=${hook ? "Another secret" : "Secret"} kind="password" autocomplete="off" value=${fields.secret} onInput=${set("secret")} error=${of("secret")} hint=${hook ? "Left empty, it stays. To keep the old one good for a while, rotate it instead." : "Left empty, one is made, and shown once."} />
              <${Field} label="Signature" kind="select" value=${fields.signing} options=${SIGNINGS} onInput=${set("signing")} error=${of("signing")} />`
            : html`<${Facts} rows=${[["Service", hook.name]]} /><${Field} label="Configuration" kind="textarea" rows="6" value=${fields.config} onInput=${set("config")} error=${of("config")} hint="As JSON; what is masked stays as it is." />`}
          <${Field} label="Dialect" kind="select" value=${fields.dialect} options=${DIALECTS} onInput=${set("dialect")} error=${of("dialect")} hint=${fields.dialect === source.dialect ? "The one of its source." : `Its source speaks ${source.dialect}.`} />
        <//>
        <${Events} catalogue=${source.catalogue} events=${fields.events} onEvents=${set("events")} error=${of("events")} />
        <${Panel} title="Delivery">
          <${Field} label="Only events where" value=${fields.filter} onInput=${set("filter")} error=${of("filter")} placeholder="$.object[?@.local == true]" hint="A JSONPath; an event passes if it finds something. Empty: all." />
          <${Field} label="At most so many in a second" kind="number" min="1" value=${fields.rate} onInput=${set("rate")} error=${of("rate")} hint="Empty: as fast as they come." />
          <${Field} kind="checkbox" label="In order" value=${fields.ordered} onInput=${set("ordered")} hint="One after the other; one that fails holds up those behind it." />
          <${Field} kind="checkbox" label="Check the receiver's certificate" value=${fields.verify_tls} onInput=${set("verify_tls")} />
          ${fields.dialect === "pleroma" && html`<${Field} kind="checkbox" label="Write type for event" value=${fields.type_key} onInput=${set("type_key")} hint="As Rebased does." />`}
          <${Field} label="Further headers" kind="textarea" rows="3" value=${fields.headers} onInput=${set("headers")} error=${of("headers")} hint="One on each line, Name: value." />
        <//>
      </div>
      <div>
        <${Panel} title="Template" note="Left empty, the body is that of the dialect.">
          <${Field} label="Template" kind="textarea" rows="10" spellcheck=${false} value=${fields.template} onInput=${set("template")} error=${of("template")} hint=${html`What stands in <code>{{…}}</code> is filled in from the event, such as <code>{{event}}</code> or <code>{{object.id}}</code>.`} disabled=${!isWeb} />
          <${Place} error=${error} name="template" text=${fields.template} />
        <//>
        <${Preview} source=${source} hook=${hook} fields=${fields} onError=${(refusal) => (busy ? null : setError(refusal))} />
      </div>
    </div>
    ${error && !isPlaced && html`<${Notice} kind="bad">${sentence(error.message)}<//>`}
    <div class="actions"><button type="submit" class="main" disabled=${busy}>${hook ? "Keep the changes" : "Make the webhook"}</button></div>
  </form>`;
}

/** A secret that was just made: the view of its hook shows it once. */
export const fresh = { secret: null };

/** The fields that show their own mistakes. */
const PLACED = ["url", "content_type", "secret", "signing", "dialect", "events", "filter", "rate", "headers", "template", "config"];

/** What the hub says begins with the name of the field, where it has no other way to tell. */
const nameOf = (error) => (error.message.match(/^(\w+)(:| is )/) || [])[1];

/** What is wrong with a field. */
function wrong(error, name) {
  if (!error || (error.field || nameOf(error)) !== name) return undefined;
  return sentence(error.message.replace(new RegExp(`^${name}: `), ""));
}

/** The line of a text in which a mistake is, and where in it. */
function Place({ error, name, text }) {
  if (!error || error.field !== name || !error.line) return null;
  const line = text.split("\n")[error.line - 1] || "";
  return html`<pre class="place" aria-hidden="true">${line}\n${" ".repeat(Math.max(0, error.column - 1))}▲</pre>`;
}

/** Events by group, each with a box; a group may be asked for as a whole, with those that are still to come. */
function Events({ catalogue, events, onEvents, error }) {
  const isAll = events.includes("*");
  const groups = new Map();
  for (const name of catalogue) {
    const group = name.includes(".") ? name.split(".")[0] : "";
    groups.set(group, [...(groups.get(group) || []), name]);
  }
  const toggle = (pattern, on, covered = []) => onEvents(on ? [...events.filter((it) => it !== "*" && !covered.includes(it)), pattern] : events.filter((it) => it !== pattern));
  return html`<${Panel} title="Events" note=${isAll ? "All, and those that are still to come." : plural(events.length, "pattern")}>
    <${Field} kind="checkbox" label="All events" value=${isAll} onInput=${(on) => onEvents(on ? ["*"] : [])} />
    ${error && html`<p class="wrong" role="alert">${error}</p>`}
    ${!isAll && [...groups].map(([group, names]) => {
      const whole = `${group}.*`;
      const isWhole = group !== "" && events.includes(whole);
      return html`<fieldset key=${group} class="group">
        <legend>${group || "Single events"}</legend>
        ${group && html`<${Field} kind="checkbox" label=${`All of ${group}`} value=${isWhole} onInput=${(on) => toggle(whole, on, names)} />`}
        ${!isWhole && html`<div class="boxes">${names.map((name) => html`<${Field} key=${name} kind="checkbox" label=${name} value=${events.includes(name)} onInput=${(on) => toggle(name, on)} />`)}</div>`}
      </fieldset>`;
    })}
  <//>`;
}

/** What would be sent, of the last event or of an example; made anew as the fields change. */
function Preview({ source, hook, fields, onError }) {
  const [event, setEvent] = useState("");
  const [shown, setShown] = useState(null);
  const [why, setWhy] = useState(null);
  const settled = useSettled(JSON.stringify({ fields, event }), 400);
  const asked = useRef(0);
  useEffect(() => {
    const turn = (asked.current += 1);
    let body;
    try {
      body = { source: source.name, ...draft(fields, hook) };
    } catch {
      return;
    }
    if (event) body.event = event;
    // While it is still being written, somewhere.
    if (body.url !== undefined && !/^https?:\/\/[^/]/.test(body.url)) body.url = "https://receiver.example/";
    if (body.events.length === 0 && event) body.events = [event];
    delete body.secret;
    post(hook ? `hooks/${hook.id}/preview` : "hooks/preview", body).then(
      (preview) => {
        if (turn !== asked.current) return;
        setShown(preview);
        setWhy(null);
        onError(null);
      },
      (refusal) => {
        if (turn !== asked.current) return;
        // What is there stays, so that nothing jumps while somebody types.
        const isPlaced = refusal.field === "template" || refusal.field === "filter";
        if (isPlaced) onError(refusal);
        setWhy(isPlaced ? null : sentence(refusal.message));
      },
    );
  }, [settled]);
  return html`<${Panel} title="Preview" note="What would be sent as it stands here. Nothing is sent.">
    <${Field} label="Event" kind="select" value=${event} options=${[["", "the last that it asks for"], ...source.catalogue]} onInput=${setEvent} />
    ${why && html`<p class="wrong" role="status">Nothing could be sent as it stands. ${why}</p>`}
    ${!shown ? !why && html`<p class="empty">Nothing to show yet.</p>` : html`<div>
      <p>${html`<${Badge}>${shown.event}<//>`} ${shown.is_example ? "from an example, since none was raised yet" : "the last that was raised"}${!shown.passes_filter ? html`; <b>the filter does not let it pass</b>` : ""}</p>
      <${Raw} label="Headers that would be sent" text=${`${shown.request.method} ${shown.request.url}\n${Object.entries(shown.request.headers).map(([name, value]) => `${name}: ${value}`).join("\n")}`} />
      <${Raw} label="Body that would be sent" text=${pretty(shown.request.body)} />
    </div>`}
  <//>`;
}
