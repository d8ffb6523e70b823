// The inspector: callback addresses in one click, and what arrives there, as it does.

import { html, useEffect, useState } from "../vendor/preact.js";
import { del, part, patch, post } from "../api.js";
import { bytes, number, plural, pretty } from "../format.js";
import { follow } from "../live.js";
import { go } from "../router.js";
import { ask, attempt, Badge, Choice, Copy, Facts, Field, Heading, Long, Notice, Panel, Raw, sentence, Table, Time, useAnswer } from "../ui.js";

/** Requests that are kept on the page. */
const KEPT = 200;
const KIND = { verified: "good", wrong: "bad", right: "good", late: "warn" };

export function Inspector() {
  const { answer, error, again } = useAnswer("inspector");
  const make = async () => {
    const bin = await attempt(() => post("inspector", {}));
    if (bin) go(`/inspector/${bin.id}`);
  };
  const remove = async (bin) => {
    const given = await ask({ title: "End this address?", text: "What it has caught is forgotten, and whoever still calls it is answered 410: subscriptions that lead there end, webhooks are disabled.", yes: "End it" });
    if (given && (await attempt(() => del(`inspector/${bin.id}`), "Ended."))) again();
  };
  return html`
    <${Heading} title="Inspector" lead="Callback addresses that show what arrives, for who builds a receiver.">
      <button type="button" class="main" onClick=${make}>Make an address</button>
    <//>
    ${error && html`<${Notice} kind="bad">${sentence(error.message)}<//>`}
    <${Panel}>
      <${Table} caption="Addresses" id=${(it) => it.id} rows=${answer?.items || []} empty="There is none. Make one, and send something there: a hub's deliveries, a webhook, curl." columns=${[
        { head: "Address", cell: (it) => html`<a href=${`#/inspector/${it.id}`}><${Long}>${it.url}<//></a>` },
        { head: "Received", end: true, cell: (it) => number(it.received) },
        { head: "Answers", cell: (it) => `${it.status}${it.delay === "0s" ? "" : ` after ${it.delay}`}` },
        { head: "Made", cell: (it) => html`<${Time} at=${it.made_at} />` },
        { head: "Ends", cell: (it) => html`<${Time} at=${it.expires_at} />` },
        { head: "", cell: (it) => html`<button type="button" class="quiet" aria-label=${`End ${it.url}`} onClick=${() => remove(it)}>End…</button>` },
      ]} />
    <//>`;
}

/** What arrives at an address: all that is kept, then each as it comes. */
function useCaught(id) {
  const [state, set] = useState({ caught: [], connected: false, ended: false });
  useEffect(() => {
    const leave = follow(`inspector/${part(id)}/live`, {
      open: () => set((before) => ({ ...before, connected: true })),
      request: (event) => {
        const request = JSON.parse(event.data);
        set((before) => ({ ...before, connected: true, caught: [request, ...before.caught.filter((it) => it.number !== request.number)].slice(0, KEPT) }));
      },
      end: () => {
        leave();
        set((before) => ({ ...before, connected: false, ended: true }));
      },
      onLost: () => set((before) => ({ ...before, connected: false })),
    });
    return leave;
  }, [id]);
  return [state, () => set((before) => ({ ...before, caught: [] }))];
}

export function Bin({ params }) {
  const path = `inspector/${part(params.id)}`;
  const { answer: bin, error, again } = useAnswer(path, {}, { every: 20 });
  const [{ caught, connected, ended }, clear] = useCaught(params.id);
  const [chosen, choose] = useState(null);
  const [secret, setSecret] = useState("");
  const back = { href: "#/inspector", text: "Inspector" };
  if (error || ended) return html`<${Heading} title="Address" back=${back} /><${Notice} kind="bad">${ended ? "This address has ended." : sentence(error.message)}<//>`;
  if (!bin) return html`<${Heading} title="Address" back=${back} /><p class="empty">Loading…</p>`;
  const empty = async () => {
    const given = await ask({ title: "Forget what has arrived?", text: "All requests that this address has caught are forgotten. It goes on catching.", yes: "Forget them" });
    if (given && (await attempt(() => del(`${path}/requests`), "Forgotten."))) clear();
  };
  const request = caught.find((it) => it.number === chosen) || (chosen === null ? caught[0] : undefined);
  return html`
    <${Heading} title="Address" back=${back} lead=${html`<code class="long">${bin.url}</code> <${Copy} text=${bin.url} label="Copy the address" />`} />
    <div class="split">
      <${Panel} title="Arrived" note=${html`<span role="status">${connected ? "Live" : "Connecting…"}, ${plural(caught.length, "request")}</span>`} actions=${caught.length > 0 && html`<button type="button" class="quiet" onClick=${empty}>Forget all…</button>`}>
        ${caught.length === 0 ? html`<p class="empty">Nothing yet. Send something: <code class="long">curl -d hello ${bin.url}</code></p>` : html`<ul class="caught" aria-label="Requests, the newest first">${caught.map((it) => html`<li key=${it.number}>
          <button type="button" aria-pressed=${request && it.number === request.number ? "true" : "false"} onClick=${() => choose(it.number)}>
            <b>${it.method}</b> <span>${kind(it)}</span> <span class="note">${bytes(it.size)}, answered ${it.answered}, <${Time} at=${it.at} /></span>
          </button></li>`)}</ul>`}
      <//>
      <${Answers} key=${bin.id} bin=${bin} path=${path} onKept=${again} />
    </div>
    ${request && html`<${Request} key=${request.number} request=${request} path=${path} secret=${secret} onSecret=${setSecret} />`}`;
}

const kind = (request) => (request.is_challenge ? "verification" : header(request, "content-type") || "no type");
const header = (request, name) => request.headers.find((it) => it.name === name)?.value;

/** How the address answers. */
function Answers({ bin, path, onKept }) {
  const [status, setStatus] = useState(String(bin.status));
  const [delay, setDelay] = useState(bin.delay);
  const [challenge, setChallenge] = useState(bin.challenge);
  const [error, setError] = useState(null);
  const keep = async (event) => {
    event.preventDefault();
    setError(null);
    await patch(path, { status: Number(status), delay: delay.trim(), challenge }).then(onKept, (refusal) => setError(refusal));
  };
  const of = (name) => (error && error.message.startsWith(name) ? sentence(error.message) : undefined);
  return html`<${Panel} title="How it answers">
    <form onSubmit=${keep}>
      <${Field} label="Status" kind="number" min="200" max="599" required value=${status} onInput=${setStatus} error=${of("status")} />
      <${Field} label="After" value=${delay} required onInput=${setDelay} error=${of("delay")} hint="Such as 0s or 2s; a minute at most." />
      <${Field} kind="checkbox" label="Confirm subscriptions" value=${challenge} onInput=${setChallenge} hint="Repeat the challenge of a hub that asks." />
      ${error && !of("status") && !of("delay") && html`<p class="wrong" role="alert">${sentence(error.message)}</p>`}
      <div class="actions"><button type="submit" class="main">Answer so</button><span class="note">Now: ${bin.status}${bin.delay === "0s" ? "" : ` after ${bin.delay}`}, ${bin.challenge ? "confirms" : "does not confirm"}; ends <${Time} at=${bin.expires_at} /></span></div>
    </form>
  <//>`;
}

function Request({ request, path, secret, onSecret }) {
  const [raw, setRaw] = useState(false);
  const [verdict, setVerdict] = useState(null);
  const judge = async (event) => {
    event.preventDefault();
    setVerdict(await attempt(() => post(`${path}/requests/${request.number}/verify`, { secret })));
  };
  const body = request.body === null ? request.body_base64 : raw ? request.body : pretty(request.body);
  return html`<div>
    <${Panel} title=${`Request ${request.number}`} note=${html`<${Time} at=${request.at} /> from ${request.from}`}>
      <${Facts} rows=${[["Method", request.method], ["Query", request.query && html`<code class="long">${request.query}</code>`], ["Answered", `${request.answered}${request.is_challenge ? ", with the challenge" : ""}`], ["Body", `${bytes(request.size)}${request.is_cut ? ", of which the beginning is kept" : ""}`]]} />
      <${Raw} label="Headers" text=${request.headers.map((it) => `${it.name}: ${it.value}`).join("\n")} />
      ${body ? html`<div>
        <div class="after"><${Choice} label="How the body is shown" value=${raw ? "raw" : "pretty"} options=${[["pretty", "Pretty"], ["raw", "Raw"]]} onChoose=${(how) => setRaw(how === "raw")} /></div>
        <${Raw} label=${request.body === null ? "Body in base64" : "Body"} text=${body} />
      </div>` : html`<p class="empty after">It has no body.</p>`}
    <//>
    <${Panel} title="Signature" note="The secret is used for this answer, and not kept.">
      <form onSubmit=${judge}>
        <${Field} label="Secret" kind="password" autocomplete="off" required value=${secret} onInput=${onSecret} hint="Or the public key (whpk_…) of Standard Webhooks." />
        <div class="actions"><button type="submit">Check it</button>${verdict && html`<span role="status"><${Badge} kind=${KIND[verdict.verdict] || "warn"}>${verdict.verdict === "none" ? "not signed" : verdict.verdict}<//></span>`}</div>
      </form>
      ${verdict && verdict.signatures.length > 0 && html`<${Table} caption="Signatures" rows=${verdict.signatures} columns=${[
        { head: "Header", cell: (it) => html`<code>${it.header}</code>` },
        { head: "Scheme", cell: (it) => it.scheme },
        { head: "Worth", cell: (it) => html`<${Badge} kind=${KIND[it.worth] || (it.worth === "wrong" ? "bad" : "")}>${it.worth}<//>` },
      ]} />`}
    <//>
  </div>`;
}
