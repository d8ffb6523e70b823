// Numbers, times and sizes as people read them.

const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** 12,345. */
export const number = (value) => (value === null || value === undefined ? "–" : whole.format(value));

/** 12.3K, for charts. */
export const short = (value) => (value < 10 ? String(Number(value.toFixed(1))) : value < 10000 ? whole.format(Math.round(value)) : compact.format(value));

/** "3 minutes ago", "in 2 days". */
export function ago(time, now = Date.now()) {
  const seconds = Math.round((new Date(time) - now) / 1000);
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || UNITS[5];
  return relative.format(Math.round(seconds / size), unit);
}

/** "2 h 5 min": the two largest units of a span in seconds. */
export function span(seconds) {
  const names = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = names.findIndex(([, size]) => seconds >= size);
  if (first < 0) return "0 s";
  const parts = [];
  let rest = Math.floor(seconds);
  for (const [name, size] of names.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count} ${name}`);
  }
  return parts.join(" ");
}

/** 3.2 ms, 9 ms, 120 ms, 1.4 s. */
export function millis(value) {
  if (value === null || value === undefined) return "–";
  const tenths = (value) => Number(value.toFixed(1));
  if (value < 10) return `${tenths(value)} ms`;
  return value < 1000 ? `${Math.round(value)} ms` : `${tenths(value / 1000)} s`;
}

/** 1.2 KiB. */
export function bytes(value) {
  const names = ["B", "KiB", "MiB", "GiB"];
  let at = 0;
  while (value >= 1024 && at < names.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${at && value < 10 ? value.toFixed(1) : Math.round(value)} ${names[at]}`;
}

/** The date and time, with the seconds, where one is. */
export const full = (time) => new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** 14:05, where one is. */
export const clock = (time) => new Date(time).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });

/** 14:05:09, where one is. */
export const seconds = (time) => new Date(time).toLocaleTimeString();

/** 3 Dec, 14:05, where one is. */
export const day = (time) => new Date(time).toLocaleString(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** One thing, several things. */
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

let hub = "";

/** Under which URL the hub is reached. */
export const reachedAt = (url) => (hub = url);

/** A URL for where room is short: without its scheme, or one of this hub's own without its name. */
export const bare = (url) => (hub && url.startsWith(hub) ? url.slice(hub.length - 1) : url.replace(/^https?:\/\//, ""));

/** JSON in lines; anything else as it is. Numbers, and the order of names, stay as they were written: a script's numbers are not precise enough. */
export function pretty(text) {
  if (!text || !isJson(text)) return text || "";
  const tokens = text.match(/"(?:\\.|[^"\\])*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  let lines = "";
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, at) => {
    const isFirst = /[{[]/.test(tokens[at - 1]) && tokens[at - 1].length === 1;
    if (token === "}" || token === "]") {
      depth -= 1;
      lines += isFirst ? token : line() + token;
    } else {
      lines += (isFirst ? line() : "") + (token[0] === '"' ? JSON.stringify(JSON.parse(token)) : token);
      if (token === "{" || token === "[") depth += 1;
      else if (token === ",") lines += line();
      else if (token === ":") lines += " ";
    }
  });
  return lines;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
