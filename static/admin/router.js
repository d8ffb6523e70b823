// Where one is: the part of the URL behind the #, such as #/subscriptions?search=x. In: hashes. Out: a path, its parameters, and links.

import { useEffect, useState } from "./vendor/preact.js";

/** `#/topics?search=x` as `{ path: "/topics", query: { search: "x" } }`. */
export function parse(hash) {
  const [path, query] = hash.replace(/^#/, "").split("?");
  return { path: path || "/", query: Object.fromEntries(new URLSearchParams(query || "")) };
}

/** The place that a path and a query name. */
export function link(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#${path}${text ? `?${text}` : ""}`;
}

/** Goes somewhere; with `replace`, the way back does not lead here again. */
export function go(path, query, { replace = false } = {}) {
  const hash = link(path, query);
  if (replace) {
    history.replaceState(null, "", hash);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = hash;
  }
}

/** Where one is now. */
export function usePlace() {
  const [place, set] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => set(parse(location.hash));
    addEventListener("hashchange", changed);
    // Somebody may have gone on between the first look and this.
    changed();
    return () => removeEventListener("hashchange", changed);
  }, []);
  return place;
}

/** What `/topics/:id` finds in a path: its parameters, or nothing. */
export function match(pattern, path) {
  const [wanted, given] = [pattern, path].map((it) => it.split("/"));
  if (wanted.length !== given.length) return null;
  const found = {};
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i].startsWith(":")) found[wanted[i].slice(1)] = decoded(given[i]);
    else if (wanted[i] !== given[i]) return null;
  }
  return found;
}

/** A part of a path as it was before it was encoded; what is no encoding stays as it is. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
