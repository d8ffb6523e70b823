// Subscriptions: search, who is behind, one of them, and what can be done with it.

import assert from "node:assert/strict";

export default async ({ page, open, menu, shot, variant, scene }) => {
  await menu("Subscriptions");
  await page.getByRole("heading", { name: "Subscriptions", level: 1 }).waitFor();
  await page.getByRole("rowheader", { name: /reader\/\d/ }).first().waitFor();
  await shot("subscriptions");
  assert.equal(await page.getByRole("rowheader").count(), 25);
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText("Page 2").waitFor();
  await page.getByRole("button", { name: "Back" }).click();
  await page.getByText("Page 1").waitFor();

  await page.getByLabel("Search").fill("reader/17");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  assert.match(page.url(), /search=reader%2F17/);
  await page.getByLabel("Search").fill("nobody-at-all");
  await page.getByText("No subscription fits.").waitFor();
  await page.getByLabel("Search").fill("");
  await page.getByLabel("Callback host").fill("127.0.0.2");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await page.getByLabel("Topic").fill("http://nobody.example/");
  await page.getByText("No subscription fits.").waitFor();
  await page.getByLabel("Topic").fill(`${process.env.FANFARE_URL}topics/news`);
  await page.getByRole("link", { name: /overloaded/ }).waitFor();
  await page.getByLabel("Topic").fill("");
  await page.getByLabel("Callback host").fill("");
  await page.getByRole("button", { name: "Behind" }).click();
  await page.waitForFunction((count) => document.querySelectorAll("tbody tr").length === count, scene.behind);
  await shot("subscriptions-behind");

  await page.getByRole("link", { name: /overloaded/ }).click();
  await page.getByRole("heading", { name: /overloaded/ }).waitFor();
  await page.getByText("come back later").first().waitFor();
  await page.getByText(/Failures in a row/).waitFor();
  await shot("subscription");

  await page.getByRole("button", { name: "Try now" }).click();
  await page.getByText("What waits is tried now.").waitFor();
  await page.getByRole("button", { name: "Verify again" }).click();
  await page.getByText("Its lease begins anew").waitFor();
  await page.getByRole("button", { name: "Close this message" }).click();
  await page.getByRole("button", { name: "Deny…" }).click();
  await page.getByRole("dialog", { name: "Deny this subscription?" }).waitFor();
  await shot("deny");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });

  // Each walk ends two of the readers: one hears why, one hears nothing.
  const reader = { "wide-light": 1, "wide-dark": 2, "phone-light": 3, "phone-dark": 4 }[variant];
  await open(`/subscriptions?search=reader/${reader}0`);
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await page.getByRole("rowheader").getByRole("link").click();
  await page.getByText("yes; deliveries are signed").waitFor();
  await page.getByRole("button", { name: "Remove…" }).click();
  await page.getByRole("dialog").getByText("It ends at once").waitFor();
  await page.getByRole("button", { name: "Remove it" }).click();
  await page.getByText("Removed.").waitFor();
  await open(`/subscriptions?search=reader/${reader}0`);
  await page.getByText("No subscription fits.").waitFor();
  await open(`/subscriptions?search=reader/${reader}1`);
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await page.getByRole("rowheader").getByRole("link").click();
  await page.getByRole("button", { name: "Deny…" }).click();
  await page.getByLabel("Reason").fill(`no longer wanted, says ${variant}`);
  await page.getByRole("button", { name: "End it and tell why" }).click();
  await page.getByText("Ended; the callback is being told.").waitFor();
};
