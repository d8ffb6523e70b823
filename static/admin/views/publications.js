// Publications and their receipts, live while they run.

/** How a state is coloured. */
export const stateKind = (state) => ({ complete: "good", retrying: "warn", failed: "bad", delivering: "busy", fetching: "busy" })[state] || "";

/** What became of a publication's targets, as the parts of a bar. */
export const receiptParts = (it) => [
  ["delivered", it.delivered, "good"],
  ["in backlog", it.in_backlog, "warn"],
  ["given up", it.given_up, "bad"],
  ["gone", it.gone, "gone"],
];
