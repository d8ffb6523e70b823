// The client of the hub's API. In: a method, a path below /api/v1, a query, a body. Out: what the hub answered, or an ApiError with its
// words. The session's cookie goes by itself; the header says that this page asks, and not a form of another site.

const BASE = new URL("api/v1/", document.baseURI);

/** What the hub said when it did not do what was asked. `field`, `line` and `column` tell the place in what was sent, if there is one. */
export class ApiError extends Error {
  constructor(status, told) {
    super(told.error || `the hub answered with status ${status}`);
    this.status = status;
    this.field = told.field;
    this.line = told.line;
    this.column = told.column;
  }
}

let signedOut = () => {};

/** What to do when the session has ended. */
export function onSignedOut(then) {
  signedOut = then;
}

/** Asks the hub. Without `signal` it cannot be called off. An absolute path such as `/social/events/x` is one of the hub, not of the API. */
export async function call(method, path, { query, body, text, type, signal } = {}) {
  const url = path.startsWith("/") ? new URL("." + path, new URL("./", document.baseURI)) : new URL(path, BASE);
  for (const [name, value] of Object.entries(query || {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const headers = { "X-Fanfare-Page": "1", Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (type) headers["Content-Type"] = type;
  let answer;
  try {
    const sent = body === undefined ? text : JSON.stringify(body);
    answer = await fetch(url, { method, headers, body: sent, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { error: "the hub cannot be reached; is it running?" });
  }
  const isJson = (answer.headers.get("content-type") || "").startsWith("application/json");
  const said = answer.status === 204 ? null : await answer.text();
  const told = isJson && said ? JSON.parse(said) : said;
  if (answer.ok) return told;
  if (answer.status === 401) signedOut();
  throw new ApiError(answer.status, isJson ? told : { error: String(told).trim() });
}

export const get = (path, query, signal) => call("GET", path, { query, signal });
export const post = (path, body) => call("POST", path, { body });
export const put = (path, body) => call("PUT", path, { body });
export const patch = (path, body) => call("PATCH", path, { body });
export const del = (path) => call("DELETE", path);

/** A part of a path, whatever is in it. */
export const part = encodeURIComponent;
