// Who one is, and what one may.

import { html } from "../vendor/preact.js";
import { Badge, Facts, Heading, Panel, Time } from "../ui.js";

const MAY = {
  reader: "read the events of private sources, and see sources and hooks without their secrets",
  publisher: "raise events and push content, and all that a reader may",
  manager: "keep the hooks of sources and see what they were sent, and all that a publisher may",
  admin: "do everything",
};

export function Account({ session }) {
  const { sources, events } = session;
  return html`
    <${Heading} title="Account" lead="Who you are here, and what your token lets you do." />
    <${Panel}>
      <${Facts} rows=${[
        ["Token", session.name],
        ["Role", html`<${Badge}>${session.role}<//> may ${MAY[session.role]}.`],
        ["Sources", sources.includes("*") ? "all" : sources.join(", ")],
        ["Events", events.length ? events.join(", ") : "all"],
        ["Signed out by itself", session.ends_at && html`<${Time} at=${session.ends_at} />, or after two hours without use`],
        ["Version", session.version],
      ]} />
    <//>`;
}
