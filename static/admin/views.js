// The views, in the order of the menu. Each has a `path` (with `:parameters`), a `component`, a word for the menu if it stands there (`nav`), the `role`
// that it takes, and whether it is about the hub as a whole (`everywhere`). A component gets `session`, `params`, `query` and `path`.

import { Overview } from "./views/overview.js";
import { Account } from "./views/account.js";
import { Delivery } from "./views/delivery.js";
import { Hook } from "./views/hook.js";
import { EditHook, NewHook } from "./views/hook-form.js";
import { Hooks } from "./views/hooks.js";
import { Bin, Inspector } from "./views/inspector.js";
import { Publication, PublicationList } from "./views/publications.js";
import { Settings } from "./views/settings.js";
import { Source, Sources } from "./views/sources.js";
import { Subscription, Subscriptions } from "./views/subscriptions.js";
import { Topic, Topics } from "./views/topics.js";

/** The roles, the weakest first. */
export const ROLES = ["reader", "publisher", "manager", "admin"];

const OPERATOR = { role: "admin", everywhere: true };

export const VIEWS = [
  { path: "/overview", nav: "Overview", component: Overview, ...OPERATOR },
  { path: "/topics", nav: "Topics", component: Topics, ...OPERATOR },
  { path: "/topics/:id", component: Topic, ...OPERATOR },
  { path: "/subscriptions", nav: "Subscriptions", component: Subscriptions, ...OPERATOR },
  { path: "/subscriptions/:id", component: Subscription, ...OPERATOR },
  { path: "/webhooks", nav: "Webhooks", component: Hooks, role: "reader" },
  { path: "/webhooks/new", component: NewHook, role: "manager" },
  { path: "/webhooks/:id", component: Hook, role: "reader" },
  { path: "/webhooks/:id/edit", component: EditHook, role: "manager" },
  { path: "/webhooks/:id/deliveries/:delivery", component: Delivery, role: "manager" },
  { path: "/sources", nav: "Sources", component: Sources, role: "reader" },
  { path: "/sources/:name", component: Source, role: "reader" },
  { path: "/publications", nav: "Publications", component: PublicationList, ...OPERATOR },
  { path: "/publications/:id", component: Publication, ...OPERATOR },
  { path: "/inspector", nav: "Inspector", component: Inspector, role: "manager" },
  { path: "/inspector/:id", component: Bin, role: "manager" },
  { path: "/settings", nav: "Settings", component: Settings, ...OPERATOR },
  { path: "/account", nav: "Account", component: Account },
];
