// The hub as it works: one stream of snapshots, a second apart, for whatever is on the page. In: server-sent events. Out: the newest snapshot,
// and those of the last minutes. It is open only while somebody looks: not in a tab that is hidden.

import { useEffect, useState } from "./vendor/preact.js";

/** The snapshots that are kept. */
const KEPT = 180;

const state = { snapshot: null, snapshots: [], connected: false };
const listeners = new Set();
let source = null;

function tell() {
  for (const listener of listeners) listener();
}

function connect() {
  if (source || document.hidden || listeners.size === 0) return;
  source = new EventSource(new URL("api/v1/live", document.baseURI));
  source.addEventListener("snapshot", (event) => {
    const snapshot = JSON.parse(event.data);
    state.snapshot = snapshot;
    state.snapshots = [...state.snapshots, snapshot].slice(-KEPT);
    state.connected = true;
    tell();
  });
  source.addEventListener("error", () => {
    state.connected = false;
    // The browser comes back by itself, unless the hub refused the stream: after a restart, or when too many look.
    if (source.readyState === EventSource.CLOSED) {
      disconnect();
      setTimeout(connect, 5000);
    }
    tell();
  });
}

function disconnect() {
  if (source) source.close();
  source = null;
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
