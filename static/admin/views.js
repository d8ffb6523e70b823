// The views, in the order of the menu. Each has a `path` (with `:parameters`), a `component`, a word for the menu if it stands there (`nav`), the `role`
// that it takes, and whether it is about the hub as a whole (`everywhere`). A component gets `session`, `params`, `query` and `path`.

import { Overview } from "./views/overview.js";
import { Account } from "./views/account.js";

/** The roles, the weakest first. */
export const ROLES = ["reader", "publisher", "manager", "admin"];

const OPERATOR = { role: "admin", everywhere: true };

export const VIEWS = [
  { path: "/overview", nav: "Overview", component: Overview, ...OPERATOR },
  { path: "/account", nav: "Account", component: Account },
];
