// One webhook: how it is, what it is told on request, its deliveries and its replays.

import { html, useEffect, useState } from "../vendor/preact.js";
import { del, part, post } from "../api.js";
import { millis, number, plural } from "../format.js";
import { go } from "../router.js";
import { ask, attempt, Badge, Choice, Copy, Facts, Heading, Long, Notice, Pages, Panel, sentence, Table, Time, useAnswer, usePages } from "../ui.js";
import { fresh } from "./hook-form.js";
import { HookState, events, keeps, place } from "./hooks.js";

/** How far back the log of deliveries goes at most, as far as the page knows: a longer time finds no more. */
const LOG = "30d";

export function Hook({ session, params }) {
  const path = `hooks/${part(params.id)}`;
  const { answer: hook, error, again } = useAnswer(path);
  const [secret, setSecret] = useState(() => (String(fresh.secret?.id) === params.id ? fresh.secret.secret : null));
  useEffect(() => {
    fresh.secret = null;
  }, []);
  const back = { href: "#/webhooks", text: "Webhooks" };
  if (error) return html`<${Heading} title="Webhook" back=${back} /><${Notice} kind="bad">${sentence(error.message)}<//>`;
  if (!hook) return html`<${Heading} title="Webhook" back=${back} /><p class="empty">Loading…</p>`;
  const may = keeps(session);
  const act = async (verb, body, done) => {
    const answer = await attempt(() => post(`${path}/${verb}`, body), done);
    again();
    return answer;
  };
  const disable = async () => {
    const given = await ask({ title: "Disable this webhook?", text: "Nothing is sent to it any more, pings included. What has been accepted so far waits until it is enabled again, or is given up.", yes: "Disable it" });
    if (given) act("disable", undefined, "Disabled.");
  };
  const rotate = async () => {
    const given = await ask({
      title: "Rotate the secret?",
      text: "Requests are signed with a new secret from now on. For a while the old one signs beside it, in a header whose name ends in -Old, so that the receiver can change over.",
      yes: "Rotate it",
      fields: [{ name: "secret", label: "New secret", hint: "Left empty, one is made.", kind: "password", autocomplete: "off" }],
    });
    if (!given) return;
    const rotated = await act("rotate", given.secret ? { secret: given.secret } : {}, "Rotated.");
    if (rotated) setSecret(rotated.secret);
  };
  const remove = async () => {
    const given = await ask({ title: "Remove this webhook?", text: `${place(hook)} hears of nothing any more. What waits for it, and the log of its deliveries, go too. This cannot be taken back.`, yes: "Remove it" });
    if (given && (await attempt(() => del(path), "Removed."))) go("/webhooks");
  };
  return html`
    <${Heading} title=${place(hook)} back=${back} lead=${html`<${HookState} hook=${hook} /> told of ${events(hook)} of <a href=${`#/sources/${part(hook.source)}`}>${hook.source}</a>`}>
      ${may && html`
        <a class="button" href=${`#/webhooks/${params.id}/edit`}>Edit</a>
        ${hook.active ? html`<button type="button" onClick=${() => act("ping", undefined, "A ping is on its way.")}>Ping</button>
          <button type="button" onClick=${disable}>Disable…</button>` : html`<button type="button" class="main" onClick=${() => act("enable", undefined, "Enabled.")}>Enable</button>`}
        ${hook.url && hook.secret && html`<button type="button" onClick=${rotate}>Rotate secret…</button>`}
        <button type="button" class="danger" onClick=${remove}>Remove…</button>`}
    <//>
    ${secret && html`<${Notice} kind="warn">The secret, shown this once: <code class="long">${secret}</code> <${Copy} text=${secret} label="Copy the secret" /><//>`}
    ${hook.disabled_because && html`<${Notice} kind="bad">The hub has disabled it: ${sentence(hook.disabled_because)}<//>`}
    ${hook.active && hook.health.failing_since && html`<${Notice} kind="warn">It has been failing since <${Time} at=${hook.health.failing_since} />: ${hook.health.last_response?.status || hook.health.last_response?.message || "no answer"}.<//>`}
    <${Panel} title="What it is">
      <${Facts} rows=${[
        ["Endpoint", hook.url && html`<${Long}>${hook.url}<//>`],
        ["Service", !hook.url && hook.name],
        ["Events", hook.events.join(", ")],
        ["Dialect", hook.dialect],
        ["Signature", hook.secret ? { dialect: "as its dialect does", both: "as its dialect does, and as Standard Webhooks do", standard: "as Standard Webhooks do" }[hook.signing] : "none: it has no secret"],
        ["The old secret signs", hook.old_secret_until && html`until <${Time} at=${hook.old_secret_until} />`],
        ["Public key", hook.public_key && html`<code class="long">${hook.public_key}</code>`],
        ["Only events where", hook.filter && html`<code>${hook.filter}</code>`],
        ["Rate", hook.rate && `${plural(hook.rate, "request")} in a second at most`],
        ["Order", hook.ordered && "one after the other"],
        ["Template", hook.template && "its own"],
        ["Certificate", !hook.verify_tls && "not checked"],
        ["Waiting", hook.in_backlog > 0 && html`${plural(hook.in_backlog, "event")}; ${hook.next_attempt_at ? html`the next attempt is <${Time} at=${hook.next_attempt_at} due />` : "sent when it is enabled again"}`],
        ["Made", html`<${Time} at=${hook.created_at} />`],
        ["Changed", html`<${Time} at=${hook.updated_at} />`],
      ]} />
    <//>
    ${may && html`<${Deliveries} hook=${hook} path=${path} /><${Replays} hook=${hook} path=${path} />`}`;
}

/** What came of a delivery. */
export function Outcome({ delivery }) {
  const isGood = delivery.status >= 200 && delivery.status < 300;
  return html`<${Badge} kind=${isGood ? "good" : "bad"}>${delivery.status || delivery.failure}<//>`;
}

function Deliveries({ hook, path }) {
  const [status, setStatus] = useState("");
  const pages = usePages(`${path}/deliveries`, { status }, { cursor: "before" });
  const redeliver = async () => {
    const given = await ask({ title: "Send once more all that has failed?", text: `Each event whose last delivery ${place(hook)} did not take is sent once more, one after the other, as the webhook stands now.`, yes: "Send them", danger: false });
    if (given) await attempt(() => post(`${path}/replay`, { since: LOG, only: "failed" }), "They are being sent; the replays below tell how far it is.");
  };
  return html`<${Panel} title="Deliveries" note="What it was sent, the newest first." actions=${html`<button type="button" onClick=${redeliver} disabled=${!hook.active}>Redeliver all failed…</button>`}>
    <${Choice} label="Which deliveries" value=${status} options=${[["", "All"], ["failure", "Not taken"], ["success", "Taken"]]} onChoose=${setStatus} />
    <${Pages} pages=${pages} caption="Deliveries" id=${(it) => it.id} empty=${status ? "None is like that." : "It was sent nothing yet."} columns=${[
      { head: "Event", cell: (it) => html`<a href=${`#/webhooks/${hook.id}/deliveries/${it.id}`}>${it.event}</a>${it.redelivery ? html` <${Badge}>again<//>` : ""}` },
      { head: "When", cell: (it) => html`<${Time} at=${it.at} />` },
      { head: "Answer", cell: (it) => html`<${Outcome} delivery=${it} />` },
      { head: "Took", end: true, cell: (it) => millis(it.millis) },
    ]} />
  <//>`;
}

function Replays({ hook, path }) {
  const pages = usePages(`${path}/replays`, {}, { every: 2 });
  const { again } = pages;
  const begin = async () => {
    const given = await ask({
      title: "Replay events?",
      text: "What the source has raised since then is sent once more, the oldest first, as the webhook stands now: also what it has taken before.",
      yes: "Replay them",
      danger: false,
      fields: [
        { name: "since", label: "Since", value: "1h", required: true, hint: "How long ago, such as 2h or 7d, or a time such as 2026-11-28T20:00:00Z." },
        { name: "only", label: "Which", value: "all", kind: "select", options: [["all", "all"], ["failed", "those that it did not take"]] },
      ],
    });
    if (given && (await attempt(() => post(`${path}/replay`, given), "The replay has begun."))) again();
  };
  const stop = async (replay) => {
    const given = await ask({ title: "Stop this replay?", text: "What has not been sent so far is not sent. What was sent stays sent.", yes: "Stop it" });
    if (given && (await attempt(() => del(`replays/${replay.id}`), "Stopped."))) again();
  };
  return html`<${Panel} title="Replays" actions=${html`<button type="button" onClick=${begin} disabled=${!hook.active}>Replay since…</button>`}>
    <${Pages} pages=${pages} caption="Replays" id=${(it) => it.id} empty="None yet." columns=${[
      { head: "Begun", cell: (it) => html`<${Time} at=${it.begun_at} />` },
      { head: "State", cell: (it) => html`<${Badge} kind=${{ running: "busy", finished: "good" }[it.state] || "warn"}>${it.state}<//> ${it.reason || ""}` },
      { head: "Since", cell: (it) => html`<${Time} at=${it.since} />${it.only === "failed" ? ", what had failed" : ""}` },
      { head: "Looked at", end: true, cell: (it) => number(it.seen) },
      { head: "Delivered", end: true, cell: (it) => number(it.delivered) },
      { head: "Failed", end: true, cell: (it) => number(it.failed) },
      { head: "", cell: (it) => it.state === "running" && html`<button type="button" class="quiet" onClick=${() => stop(it)}>Stop…</button>` },
    ]} />
  <//>`;
}
