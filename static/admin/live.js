// The hub as it works: one stream of snapshots, a second apart, for whatever is on the page. In: server-sent events. Out: the newest snapshot,
// and those of the last minutes. It is open only while somebody looks: not in a tab that is hidden.

import { useEffect, useState } from "./vendor/preact.js";
import { get } from "./api.js";

/** The snapshots that are kept. */
const KEPT = 180;

/** Until it is tried again to follow something, in milliseconds. */
const PAUSE = 5000;

/**
 * Follows a stream of the API, with a function for each kind of event. The browser comes back by itself, unless the hub refused: then the page does after
 * a while, and finds out whether one is still signed in. Comes back with what ends it.
 */
export function follow(path, { onLost, ...kinds }) {
  let source = null;
  let timer = null;
  const begin = () => {
    source = new EventSource(new URL(`api/v1/${path}`, document.baseURI));
    for (const [kind, then] of Object.entries(kinds)) source.addEventListener(kind, then);
    source.addEventListener("error", () => {
      onLost();
      if (source.readyState !== EventSource.CLOSED) return;
      get("session").catch(() => {});
      timer = setTimeout(begin, PAUSE);
    });
  };
  begin();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

const state = { snapshot: null, snapshots: [], connected: false };
const listeners = new Set();
let leave = null;

function tell() {
  for (const listener of listeners) listener();
}

function connect() {
  if (leave || document.hidden || listeners.size === 0) return;
  leave = follow("live", {
    snapshot: (event) => {
      const snapshot = JSON.parse(event.data);
      state.snapshot = snapshot;
      state.snapshots = [...state.snapshots, snapshot].slice(-KEPT);
      state.connected = true;
      tell();
    },
    onLost: () => {
      state.connected = false;
      tell();
    },
  });
}

function disconnect() {
  if (leave) leave();
  leave = null;
  state.connected = false;
}

document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));

/** The state of the stream; whoever uses it is drawn anew with each snapshot. */
export function useLive() {
  const [, draw] = useState(0);
  useEffect(() => {
    const listener = () => draw((count) => count + 1);
    listeners.add(listener);
    connect();
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) disconnect();
    };
  }, []);
  return state;
}

/** Forgets everything: somebody else may sign in next. */
export function forget() {
  disconnect();
  state.snapshot = null;
  state.snapshots = [];
}

/** A number that grows every so many seconds while the page is seen: for what is to be asked anew. */
export function useTicks(seconds) {
  const [ticks, set] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || set((count) => count + 1), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return ticks;
}
