// One delivery of a webhook: request and response side by side, and once more.

import { html } from "../vendor/preact.js";
import { part, post } from "../api.js";
import { millis, pretty } from "../format.js";
import { attempt, Badge, Facts, Heading, Long, Notice, Panel, Raw, sentence, Time, useAnswer } from "../ui.js";
import { Outcome } from "./hook.js";

const lines = (headers) => Object.entries(headers).map(([name, value]) => `${name}: ${value}`).join("\n");

export function Delivery({ params }) {
  const path = `hooks/${part(params.id)}/deliveries/${part(params.delivery)}`;
  const { answer: it, error } = useAnswer(path, {}, { every: 60 });
  const back = { href: `#/webhooks/${params.id}`, text: "The webhook" };
  if (error) return html`<${Heading} title="Delivery" back=${back} /><${Notice} kind="bad">${sentence(error.message)}<//>`;
  if (!it) return html`<${Heading} title="Delivery" back=${back} /><p class="empty">Loading…</p>`;
  const again = () => attempt(() => post(`${path}/redeliver`), "It is sent once more; the webhook's deliveries show what comes of it.");
  return html`
    <${Heading} title=${it.event} back=${back} lead=${html`<${Outcome} delivery=${it} /> <${Time} at=${it.at} />, ${millis(it.millis)}${it.redelivery ? html`, <${Badge}>again<//>` : ""}`}>
      <button type="button" class="main" onClick=${again}>Redeliver</button>
    <//>
    <div class="split">
      <${Panel} title="Request">
        <${Facts} rows=${[["To", html`${it.request.method} <${Long}>${it.request.url}<//>`], ["Publication", html`<code class="long">${it.publication}</code>`]]} />
        <${Raw} label="Headers of the request" text=${lines(it.request.headers)} />
        ${it.request.body === null ? html`<p class="empty">Its event is not kept any longer, so the body cannot be shown.</p>` : html`<${Raw} label="Body of the request" text=${pretty(it.request.body)} />`}
      <//>
      <${Panel} title="Response">
        ${!it.response ? html`<${Notice} kind="bad">No answer: ${sentence(it.detail || it.failure)}<//>` : html`<div>
          <${Facts} rows=${[["Status", it.response.status]]} />
          <${Raw} label="Headers of the response" text=${lines(it.response.headers) || "none that are kept"} />
          ${it.response.body ? html`<${Raw} label="Body of the response" text=${pretty(it.response.body)} />` : html`<p class="empty after">It has no body.</p>`}
        </div>`}
      <//>
    </div>`;
}
