// The overview of a hub with something to see.

export default async ({ page, shot }) => {
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByText(/answers with status 503/).first().waitFor();
  await page.getByText(/accepts no connection/).first().waitFor();
  await page.getByText(/The hub has disabled the webhook .*\/left/).waitFor();
  for (const chart of ["Attempts a second", "Latency", "Success", "Publications a second", "Deliveries that wait", "Age of the oldest that waits"]) await page.getByRole("img", { name: chart }).waitFor();
  await page.getByRole("rowheader", { name: /news/ }).first().waitFor();
  // A few snapshots with something in them make a line.
  await page.waitForFunction(() => document.querySelectorAll(".chart .line")[2].getAttribute("d").split("L").length > 8);
  await shot("overview");
  await page.getByText("As a table").first().click();
  await page.getByRole("columnheader", { name: "delivered", exact: true }).waitFor();
  await shot("overview-table");
  await page.getByRole("button", { name: "3 hours" }).click();
  await page.getByText(/first minute is still running|As a table/).first().waitFor();
  // An open circuit is told of, also where no origin that fails is named beside it.
  const at = new Date().toISOString();
  const nothing = { delivered: 0, failed: 0, given_up: 0, published: 0, p50_ms: null, p99_ms: null };
  const backlog = { counted_at: at, targets: 0, entries: 0, oldest: null };
  const quiet = { at, seconds: 1, done: nothing, in_flight: 0, jobs: 0, backlog, open_circuits: 1, origins: [], stalls: [], publications: [] };
  const body = `event: snapshot\ndata: ${JSON.stringify(quiet)}\n\n`;
  await page.route("**/api/v1/live", (route) => route.fulfill({ contentType: "text/event-stream", body }));
  await page.reload();
  await page.getByText("1 origin is not called for a while: no answer came.").waitFor();
};
