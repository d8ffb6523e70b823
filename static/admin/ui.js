// What all views are made of: headings, tables and pages of them, forms, dialogs, times. A view asks with `usePages` or `useAnswer`, shows with
// `Table`, `Facts` and `Panel`, and asks before it destroys with `ask`.

import { html, useCallback, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { get } from "./api.js";
import { ago, full, number } from "./format.js";
import { useTicks } from "./live.js";
import { go } from "./router.js";

/** Items of a page of a list. */
const LIMIT = 25;
/** How often a list or a thing is asked for anew, in seconds. */
const REFRESH = 5;
/** A search goes on through this many pages without a find before it asks whether to go on. */
const SEARCH_STEPS = 40;

// ---- asking

/** What the hub answers to a GET; asked anew every few seconds, and by `again`. A path that is not there asks nothing. */
export function useAnswer(path, query, { every = REFRESH } = {}) {
  const [state, set] = useState({ loading: true });
  const [asked, askAgain] = useState(0);
  const ticks = useTicks(every);
  const key = path && JSON.stringify([path, query]);
  const shown = useRef(null);
  const isBusy = useRef(false);
  useEffect(() => {
    if (ticks && !isBusy.current) askAgain((count) => count + 1);
  }, [ticks]);
  useEffect(() => {
    if (!path) return undefined;
    if (shown.current !== key) set({ loading: true });
    const calling = new AbortController();
    isBusy.current = true;
    get(path, query, calling.signal).then(
      (answer) => {
        isBusy.current = false;
        shown.current = key;
        set({ answer, loading: false });
      },
      (error) => {
        if (error.name === "AbortError") return;
        isBusy.current = false;
        shown.current = key;
        set((before) => ({ answer: error.status === 0 ? before.answer : undefined, error, loading: false }));
      },
    );
    return () => calling.abort();
  }, [key, asked]);
  return { ...state, again: useCallback(() => askAgain((count) => count + 1), []) };
}

/**
 * A list, page by page. A search looks at so many rows for each request: pages without a find are passed over, and `searching` says so.
 * `every` 0 asks only once; `cursor` is how the hub calls the place where a page begins: `after`, or `before` in a list whose newest is first.
 */
export function usePages(path, query = {}, { limit = LIMIT, every = REFRESH, cursor = "after" } = {}) {
  const key = JSON.stringify([path, query, limit]);
  const [place, setPlace] = useState({ key, cursors: [undefined] });
  const cursors = place.key === key ? place.cursors : [undefined];
  const after = cursors[cursors.length - 1];
  const [state, set] = useState({ items: [], loading: true });
  const [asked, askAgain] = useState(0);
  const [limitless, setLimitless] = useState(false);
  const ticks = useTicks(every || 3600);
  const shown = useRef(null);
  // A search that takes many steps is not made anew by itself: it costs the hub more than the news is worth.
  const isBusyOrDear = useRef(false);
  useEffect(() => {
    if (ticks && !isBusyOrDear.current) askAgain((count) => count + 1);
  }, [ticks]);
  const at = `${key} ${after}`;
  useEffect(() => {
    const calling = new AbortController();
    const isNew = shown.current !== at;
    if (isNew) set({ items: [], loading: true });
    isBusyOrDear.current = true;
    (async () => {
      let items = [];
      let next = after;
      let steps = 0;
      do {
        const page = await get(path, { ...query, [cursor]: next, limit: limit - items.length }, calling.signal);
        items = items.concat(page.items);
        next = page.next;
        steps += 1;
        if (isNew && next && items.length < limit) set({ items, loading: true, searching: steps });
      } while (next && items.length < limit && (limitless || steps < SEARCH_STEPS));
      shown.current = at;
      isBusyOrDear.current = steps > 1;
      const stopped = next && items.length < limit;
      set({ items, next, stopped, loading: false });
    })().catch((error) => {
      if (error.name === "AbortError") return;
      isBusyOrDear.current = false;
      shown.current = at;
      set((before) => ({ ...before, error, loading: false, searching: undefined }));
    });
    return () => calling.abort();
  }, [at, asked, limitless]);
  return {
    ...state,
    limit,
    page: cursors.length,
    again: useCallback(() => askAgain((count) => count + 1), []),
    searchOn: () => setLimitless(true),
    forth: () => setPlace({ key, cursors: [...cursors, state.next] }),
    back: () => setPlace({ key, cursors: cursors.slice(0, -1) }),
  };
}

/** A value that follows another one once that has been still for a moment: for searching while somebody types. */
export function useSettled(value, millis = 300) {
  const [settled, set] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), millis);
    return () => clearTimeout(timer);
  }, [value, millis]);
  return settled;
}

// ---- showing

/** A view's heading: gets the focus when one comes here, so that a screen reader says where one is. */
export function Heading({ title, lead, back, children }) {
  const heading = useRef(null);
  useLayoutEffect(() => {
    document.title = `${title} – Fanfare`;
  }, [title]);
  useEffect(() => {
    if (document.activeElement === document.body || document.activeElement?.closest("nav")) heading.current.focus({ preventScroll: true });
  }, []);
  return html`<header class="heading">
    <div>
      ${back && html`<a class="back" href=${back.href}>← ${back.text}</a>`}
      <h1 tabindex="-1" ref=${heading}>${title}</h1>
      ${lead && html`<p class="lead">${lead}</p>`}
    </div>
    ${children && html`<div class="actions">${children}</div>`}
  </header>`;
}

/** A part of a view, with a heading of its own. */
export function Panel({ title, note, actions, children, class: kind = "" }) {
  const id = useId();
  return html`<section class=${`panel ${kind}`} aria-labelledby=${title ? id : undefined}>
    ${title && html`<div class="panel-head"><h2 id=${id}>${title}</h2>${note && html`<p class="note">${note}</p>`}${actions && html`<div class="actions">${actions}</div>`}</div>`}
    ${children}
  </section>`;
}

/** Names and values. `rows` are `[name, value]`; what has no value is left out. */
export function Facts({ rows }) {
  const given = rows.filter((row) => row && row[1] !== undefined && row[1] !== null && row[1] !== "" && row[1] !== false);
  return html`<dl class="facts">${given.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/**
 * A table; on a phone each row is a card. `columns` are `{ head, cell(row), end }`, where `end` sets numbers to the right. The first column
 * names its row.
 */
export function Table({ caption, columns, rows, id, empty = "There is nothing here yet." }) {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  return html`<div class="table-frame"><table role="table">
    <caption class="unseen">${caption}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map((column) => html`<th role="columnheader" scope="col" class=${column.end ? "end" : ""}>${column.head}</th>`)}</tr></thead>
    <tbody role="rowgroup">${rows.map((row) => html`<tr role="row" key=${id ? id(row) : undefined}>${columns.map((column, at) =>
      at === 0
        ? html`<th role="rowheader" scope="row">${column.cell(row)}</th>`
        : html`<td role="cell" data-head=${column.head} class=${column.end ? "end" : ""}><div>${column.cell(row)}</div></td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** A list that `usePages` asks for: a table with a way to the next page and back. */
export function Pages({ pages, caption, columns, id, empty }) {
  const { items, loading, error, searching, stopped, next, page } = pages;
  const isFirst = page === 1;
  return html`
    <div aria-busy=${loading ? "true" : "false"}>
      ${error && html`<${Notice} kind="bad">${sentence(error.message)}<//>`}
      ${items.length > 0 || !loading ? html`<${Table} caption=${caption} columns=${columns} rows=${items} id=${id} empty=${stopped ? "Nothing found so far." : empty} />` : html`<p class="empty">${searching ? "Searching…" : "Loading…"}</p>`}
    </div>
    ${searching && html`<p class="note" role="status">Still searching; ${number(items.length)} found so far.</p>`}
    ${stopped && html`<p class="note">The search has looked through a part only. <button class="quiet" type="button" onClick=${pages.searchOn}>Search on</button></p>`}
    ${(!isFirst || next) && html`<nav class="pager" aria-label="Pages">
      <button type="button" disabled=${isFirst} onClick=${pages.back}>← Back</button>
      <span>Page ${number(page)}</span>
      <button type="button" disabled=${!next || loading} onClick=${pages.forth}>Next →</button>
    </nav>`}`;
}

/** A word in a pill; `kind` is good, bad, warn, or nothing. The word says it all, the colour only helps. */
export const Badge = ({ kind = "", children }) => html`<span class=${`badge ${kind}`}>${children}</span>`;

/** A moment: how long ago or ahead it is, and on closer look when. What is `due` and has not come is due now. */
export function Time({ at, empty = "–", due }) {
  useTicks(10);
  if (!at) return empty;
  const text = due && new Date(at) <= Date.now() ? "now" : ago(at);
  return html`<time datetime=${at} title=${full(at)}>${text}</time>`;
}

/** Something that people should know; `kind` is good, bad, warn, or nothing. */
export const Notice = ({ kind = "", children }) => html`<div class=${`notice ${kind}`} role=${kind === "bad" ? "alert" : undefined}>${children}</div>`;

/** Text as it was sent, in lines, to be copied. It can be scrolled with the keyboard. */
export function Raw({ text, label }) {
  const id = useId();
  return html`<div class="raw">
    <div class="raw-head"><span id=${id}>${label}</span><${Copy} text=${text} name=${`Copy: ${label}`} /></div>
    <pre tabindex="0" role="region" aria-labelledby=${id}><code>${text}</code></pre>
  </div>`;
}

/** A long URL or id that may break anywhere. */
export const Long = ({ children }) => html`<span class="long">${children}</span>`;

/** Copies a text; `name` says what, where the label does not. Browsers let a page do that over https, and on the machine itself; else there is no button. */
export function Copy({ text, label = "Copy", name }) {
  const [copied, set] = useState(false);
  if (!navigator.clipboard) return null;
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => {
        set(true);
        setTimeout(() => set(false), 2000);
      },
      () => say("The browser did not let the page copy; select the text instead.", "bad"),
    );
  return html`<button type="button" class="quiet" aria-label=${copied ? undefined : name} onClick=${copy}>${copied ? "Copied" : label}</button>`;
}

/** What the hub said, as a sentence. */
export function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

// ---- forms

let ids = 0;

/** An id that no other element has. */
export function useId() {
  const id = useRef(null);
  if (id.current === null) id.current = `x${(ids += 1)}`;
  return id.current;
}

/**
 * A field with its label: `kind` is text, password, search, number, textarea, select (with `options`, texts or `[value, text]`), or checkbox.
 * `error` stands below it, and is said.
 */
export function Field({ label, hint, error, kind = "text", value, onInput, options, required, autofocus, ...rest }) {
  const id = useId();
  const field = useRef(null);
  useEffect(() => {
    if (autofocus) field.current.focus();
  }, []);
  const described = [hint && `${id}h`, error && `${id}e`].filter(Boolean).join(" ") || undefined;
  const common = { id, ref: field, required, "aria-describedby": described, "aria-invalid": error ? "true" : undefined, ...rest };
  const said = (event) => onInput(event.target.value);
  if (kind === "checkbox") {
    return html`<div class="field check"><input type="checkbox" ...${common} checked=${value} onChange=${(event) => onInput(event.target.checked)} /><label for=${id}>${label}</label>${hint && html`<p class="hint" id=${`${id}h`}>${hint}</p>`}</div>`;
  }
  const pairs = (options || []).map((option) => (Array.isArray(option) ? option : [option, option]));
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${kind === "textarea" ? html`<textarea rows="4" ...${common} value=${value} onInput=${said}></textarea>`
    : kind === "select" ? html`<select ...${common} value=${value} onChange=${said}>${pairs.map(([key, text]) => html`<option value=${key} selected=${key === value}>${text}</option>`)}</select>`
    : html`<input type=${kind} ...${common} value=${value} onInput=${said} />`}
    ${hint && html`<p class="hint" id=${`${id}h`}>${hint}</p>`}
    ${error && html`<p class="wrong" id=${`${id}e`} role="alert">${error}</p>`}
  </div>`;
}

/**
 * Fields above a list, to search and to filter: `fields` are `{ name, label, placeholder }`, whose values stand in the `query` of the place. Each change
 * counts once somebody pauses; it is sent nowhere.
 */
export function Search({ path, query, fields }) {
  const names = fields.map((field) => field.name);
  const [texts, setTexts] = useState(() => Object.fromEntries(names.map((name) => [name, query[name] || ""])));
  const settled = useSettled(texts);
  const typed = useRef(false);
  useEffect(() => {
    if (typed.current) go(path, { ...query, ...settled }, { replace: true });
  }, [settled]);
  // A link may lead to another search in the same view.
  const given = JSON.stringify(names.map((name) => query[name] || ""));
  useEffect(() => {
    if (given !== JSON.stringify(names.map((name) => settled[name]))) setTexts(Object.fromEntries(names.map((name) => [name, query[name] || ""])));
  }, [given]);
  const set = (name) => (text) => {
    typed.current = true;
    setTexts({ ...texts, [name]: text });
  };
  return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    ${fields.map((field) => html`<${Field} key=${field.name} kind="search" label=${field.label} placeholder=${field.placeholder} value=${texts[field.name]} onInput=${set(field.name)} />`)}
  </form>`;
}

/** One of a few, side by side: `options` are `[value, text]`. */
export const Choice = ({ label, options, value, onChoose }) => html`<div class="choice" role="group" aria-label=${label}>${options.map(([key, text]) => html`<button key=${key} type="button" aria-pressed=${key === value ? "true" : "false"} onClick=${() => onChoose(key)}>${text}</button>`)}</div>`;

// ---- dialogs and words

const host = { dialog: null, said: null, draw: () => {} };

/**
 * Asks before something is done that cannot be taken back. Comes back with the texts of its `fields` by their names (an empty object if there are
 * none), or with null if it is not to be done. `text` says in words what will happen, `yes` is the word on the button.
 */
export function ask({ title, text, yes, danger = true, fields = [] }) {
  return new Promise((resolve) => {
    host.dialog = { title, text, yes, danger, fields, resolve };
    host.draw();
  });
}

/** Says that something was done, or that it went wrong; where, and for a screen reader too. */
export function say(text, kind = "good") {
  host.said = { text, kind, key: (ids += 1) };
  host.draw();
}

/** Does something, says what came of it, and tells whether it went well. */
export async function attempt(work, done) {
  try {
    const answer = await work();
    if (done) say(typeof done === "function" ? done(answer) : done);
    return answer ?? true;
  } catch (error) {
    say(sentence(error.message), "bad");
    return null;
  }
}

/** Where dialogs and words appear; stands once on the page. */
export function Host() {
  const [, draw] = useState(0);
  host.draw = () => draw((count) => count + 1);
  const { said, dialog } = host;
  useEffect(() => {
    if (!said || said.kind === "bad") return undefined;
    const timer = setTimeout(() => host.said === said && ((host.said = null), host.draw()), 6000);
    return () => clearTimeout(timer);
  }, [said]);
  const hush = () => {
    host.said = null;
    host.draw();
  };
  return html`
    <div class="said" role="status" aria-live="polite">${said && html`<div key=${said.key} class=${`notice ${said.kind}`}><span>${said.text}</span><button type="button" class="quiet" aria-label="Close this message" onClick=${hush}>×</button></div>`}</div>
    ${dialog && html`<${Asked} key=${dialog.title} dialog=${dialog} />`}`;
}

function Asked({ dialog }) {
  const element = useRef(null);
  const id = useId();
  const [texts, setTexts] = useState(() => Object.fromEntries(dialog.fields.map((field) => [field.name, field.value || ""])));
  useEffect(() => element.current.showModal(), []);
  const close = (answer) => {
    element.current.close();
    host.dialog = null;
    host.draw();
    dialog.resolve(answer);
  };
  const submit = (event) => {
    event.preventDefault();
    close(texts);
  };
  const cancel = (event) => {
    event.preventDefault();
    close(null);
  };
  return html`<dialog ref=${element} aria-labelledby=${`${id}t`} aria-describedby=${`${id}d`} onCancel=${cancel}>
    <form onSubmit=${submit}>
      <h2 id=${`${id}t`}>${dialog.title}</h2>
      <div id=${`${id}d`}>${typeof dialog.text === "string" ? html`<p>${dialog.text}</p>` : dialog.text}</div>
      ${dialog.fields.map((field) => html`<${Field} ...${field} value=${texts[field.name]} onInput=${(text) => setTexts({ ...texts, [field.name]: text })} />`)}
      <div class="actions">
        <button type="button" onClick=${() => close(null)}>Cancel</button>
        <button type="submit" class=${dialog.danger ? "danger" : "main"}>${dialog.yes}</button>
      </div>
    </form>
  </dialog>`;
}
