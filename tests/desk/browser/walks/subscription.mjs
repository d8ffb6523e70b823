// A subscriber looks at its own subscription, with no token and, in the end, with no script.

import assert from "node:assert/strict";

export const signedOut = true;

export default async ({ page, scene, shot }) => {
  const hub = process.env.FANFARE_URL;
  await page.goto(`${hub}subscription?topic=${encodeURIComponent(scene.topic)}&callback=${encodeURIComponent(scene.callback)}`);
  await page.getByRole("heading", { name: "Your subscription" }).waitFor();
  assert.equal(await page.getByLabel("Topic").inputValue(), scene.topic);
  await shot("subscription-form");
  // A mistake comes back with what was typed.
  await page.getByLabel("The subscription's secret").fill("another secret");
  await page.getByRole("button", { name: "Show it" }).click();
  await page.getByText("no such subscription, or this is not its secret").waitFor();
  assert.equal(await page.getByLabel("Callback", { exact: true }).inputValue(), scene.callback);
  await shot("subscription-refused");
  await page.getByLabel("The subscription's secret").fill(scene.secret);
  await page.getByRole("button", { name: "Show it" }).click();
  await page.getByText("the last attempts have failed").waitFor();
  await page.getByRole("cell", { name: "503: come back later" }).waitFor();
  await shot("subscription");
  await page.getByRole("button", { name: "Try what waits now" }).click();
  await page.getByText("What waits is tried now.").waitFor();
  await page.getByRole("button", { name: "Send it once more" }).click();
  await page.getByText(/come first; resume/).waitFor();
  await page.getByRole("button", { name: "Look again" }).click();
  await page.getByRole("cell", { name: "503: come back later" }).waitFor();
};
