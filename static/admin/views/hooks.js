// Webhooks: the list of those that the token may read.

import { html } from "../vendor/preact.js";
import { bare, plural } from "../format.js";
import { go, link } from "../router.js";
import { Badge, Choice, Heading, Long, Pages, Panel, Search, usePages } from "../ui.js";

/** Whether a session may keep hooks somewhere. */
export const keeps = (session) => session.role === "manager" || session.role === "admin";

/** Where a hook's requests go, or for a chat its name. */
export const place = (hook) => (hook.url ? bare(hook.url) : `${hook.name}: ${Object.values(hook.config || {}).filter((text) => text !== "********").join(" ") || "configured"}`);

/** Whether it is on, and how it is, in a word. */
export function HookState({ hook }) {
  if (!hook.active) return html`<${Badge}>disabled<//>`;
  if (hook.health.failing_since) return html`<${Badge} kind="warn">failing<//>`;
  return html`<${Badge} kind="good">active<//>`;
}

/** How many events of its source a hook asks for. */
export const events = (hook) => (hook.events.includes("*") ? `all ${plural(hook.event_count, "event")}` : plural(hook.event_count, "event"));

/** The same where room is short. */
export const Events = ({ hook }) => html`<span class="count">${events(hook)}</span>`;

/** What came last of calling it. */
export function last(hook) {
  const response = hook.health.last_response;
  if (!response) return "–";
  return response.status ? `${response.status}` : response.message;
}

export function Hooks({ session, query, path }) {
  const { source, state, search } = query;
  const pages = usePages("hooks", { source, state, search });
  return html`
    <${Heading} title="Webhooks" lead="Who is told of the events of your sources, and how.">
      ${keeps(session) && html`<a class="button main" href=${link("/webhooks/new", { source })}>New webhook</a>`}
    <//>
    <${Choice} label="State" value=${state || ""} options=${[["", "All"], ["active", "Active"], ["disabled", "Disabled"]]} onChoose=${(state) => go(path, { ...query, state }, { replace: true })} />
    <${Panel}>
      <${Search} path=${path} query=${query} fields=${[{ name: "search", label: "Search", placeholder: "part of the URL" }, { name: "source", label: "Source", placeholder: "its whole name" }]} />
      <${Pages} pages=${pages} caption="Webhooks" id=${(hook) => hook.id} empty=${search || state || source ? "No webhook is like that." : "There is no webhook yet."} columns=${[
        { head: "Endpoint", cell: (hook) => html`<a href=${`#/webhooks/${hook.id}`}><${Long}>${place(hook)}<//></a>` },
        { head: "State", cell: (hook) => html`<${HookState} hook=${hook} />` },
        { head: "Source", cell: (hook) => html`<${Long}>${hook.source}<//>` },
        { head: "Events", cell: (hook) => html`<${Events} hook=${hook} />` },
        { head: "Last answer", cell: (hook) => html`<${Long}>${last(hook)}<//>` },
      ]} />
    <//>`;
}
