// The frame of the page: who is signed in, where one is, and what stands around each view.

import { html, render, useEffect, useErrorBoundary, useState } from "./vendor/preact.js";
import { call, get, onSignedOut, post } from "./api.js";
import { reachedAt } from "./format.js";
import { forget, useLive } from "./live.js";
import { match, usePlace } from "./router.js";
import { Field, Host, Notice, sentence } from "./ui.js";
import { ROLES, VIEWS } from "./views.js";

function App() {
  const [session, setSession] = useState(undefined);
  useEffect(() => {
    onSignedOut(() => setSession(null));
    get("session").then(begin, (error) => setSession(error.status === 0 ? { error } : null));
  }, []);
  const begin = (session) => {
    reachedAt(session.hub);
    setSession(session);
  };
  const signOut = async () => {
    await call("DELETE", "session").catch(() => {});
    forget();
    setSession(null);
  };
  let shown;
  if (session === undefined) shown = html`<p class="empty center" role="status">Loading…</p>`;
  else if (session === null) shown = html`<${SignIn} onSession=${begin} />`;
  else if (session.error) shown = html`<main class="center"><${Notice} kind="bad">${sentence(session.error.message)}<//></main>`;
  else shown = html`<${Frame} session=${session} onSignOut=${signOut} />`;
  return html`${shown}<${Host} />`;
}

function Mark() {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><path d="M5 12v8h5l9 6V6l-9 6z" /><path class="sound" d="M23 11.5a6.5 6.5 0 0 1 0 9M26.5 7.5a12 12 0 0 1 0 17" /></svg>`;
}

function SignIn({ onSession }) {
  const [token, setToken] = useState("");
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    document.title = "Sign in – Fanfare";
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      onSession(await post("session", { token }));
    } catch (refusal) {
      setError(sentence(refusal.message));
      setBusy(false);
    }
  };
  return html`<main class="sign-in">
    <form onSubmit=${submit}>
      <div class="brand"><${Mark} /><h1>Fanfare</h1></div>
      <p>Sign in with a token of this hub. The administrator's was shown when the hub first started.</p>
      <${Field} label="Token" kind="password" value=${token} onInput=${setToken} error=${error} required autofocus autocomplete="current-password" />
      <button type="submit" class="main" disabled=${busy}>Sign in</button>
    </form>
  </main>`;
}

/** Whether a session may see a view: its role is enough, and for what is about the whole hub it is good everywhere. */
function may(session, view) {
  const isEnough = ROLES.indexOf(session.role) >= ROLES.indexOf(view.role || "reader");
  return isEnough && (session.everywhere || !view.everywhere);
}

function Frame({ session, onSignOut }) {
  const { path, query } = usePlace();
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    setOpen(false);
    scrollTo(0, 0);
  }, [path]);
  const allowed = VIEWS.filter((view) => may(session, view));
  const home = allowed.find((view) => view.nav);
  const wanted = path === "/" ? home.path : path;
  const [view, params] = find(VIEWS, wanted);
  const section = view && (view.nav ? view : VIEWS.find((it) => it.nav && wanted.startsWith(`${it.path}/`)));
  return html`<div class="frame">
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.querySelector("main").focus(); }}>Skip to the content</a>
    <header class="side">
      <div class="top">
        <a class="brand" href="#/"><${Mark} /><span>Fanfare</span></a>
        ${may(session, { role: "admin", everywhere: true }) && html`<${Pulse} />`}
        <button type="button" class="quiet menu" aria-expanded=${isOpen ? "true" : "false"} aria-controls="nav" onClick=${() => setOpen(!isOpen)}>Menu</button>
      </div>
      <div id="nav" class=${isOpen ? "open" : ""}>
        <nav aria-label="Views"><ul>${allowed.filter((it) => it.nav).map((it) => html`<li key=${it.path}><a href=${`#${it.path}`} aria-current=${it === section ? "page" : undefined}>${it.nav}</a></li>`)}</ul></nav>
        <div class="who"><p><b>${session.name}</b><br /><span>${session.role}</span></p><button type="button" class="quiet" onClick=${onSignOut}>Sign out</button></div>
      </div>
    </header>
    <main id="main" tabindex="-1">
      <${Guarded} key=${wanted}>
        ${!view ? html`<${Missing} />` : !may(session, view) ? html`<${Barred} session=${session} view=${view} />` : html`<${view.component} key=${wanted} session=${session} params=${params} query=${query} path=${wanted} />`}
      <//>
    </main>
  </div>`;
}

/** A view that breaks leaves the frame standing. */
function Guarded({ children }) {
  const [error] = useErrorBoundary((error) => console.error(error));
  if (error) return html`<h1>This view broke</h1><${Notice} kind="bad">It is a fault of the page: ${error.message}. Reload it, and tell the people who make Fanfare.<//>`;
  return children;
}

const Missing = () => html`<h1>There is nothing here</h1><p>The link may be old. <a href="#/">Go to the beginning</a>.</p>`;

const Barred = ({ session, view }) => html`<h1>Not with this token</h1><p>This view needs a token of the role ${view.role}${view.everywhere ? " for all sources" : ""}; yours is a ${session.role}'s. <a href="#/">See what it may</a>.</p>`;

/** Whether snapshots arrive. */
function Pulse() {
  const { connected } = useLive();
  return html`<span class=${`pulse ${connected ? "good" : ""}`} role="status">${connected ? "Live" : "Connecting…"}</span>`;
}

function find(views, path) {
  for (const view of views) {
    const params = match(view.path, path);
    if (params) return [view, params];
  }
  return [null, {}];
}

render(html`<${App} />`, document.getElementById("app"));
