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
};
