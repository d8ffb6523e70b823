// A receipt while its publication runs: it moves by itself, on the page where one is.

import assert from "node:assert/strict";

export default async ({ page, menu, shot, scene, variant }) => {
  await fetch(`${scene.gate}/shut`);
  const told = await page.evaluate(async (text) => {
    const headers = { "Content-Type": "text/plain", "X-Fanfare-Page": "1" };
    return (await fetch("topics/slow", { method: "PUT", headers, body: text })).status;
  }, variant);
  assert.equal(told, 200);
  await menu("Publications");
  await page.getByRole("rowheader").first().getByRole("link").click();
  await page.getByText("It is on its way.").waitFor();
  await page.getByText("delivering", { exact: true }).waitFor();
  await shot("publication-runs");
  await fetch(`${scene.gate}/open`);
  await page.getByText("It is done.").waitFor();
  await page.getByText("of 1 target").waitFor();
  assert.equal(await page.locator(".figures dd").first().textContent(), "1");
};
