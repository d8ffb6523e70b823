// Signing in and out, the menu, the keyboard, and what a session without a place looks like.

import assert from "node:assert/strict";

export const signedOut = true;

export default async ({ page, open, signIn, menu, shot, variant }) => {
  await page.getByRole("heading", { name: "Fanfare" }).waitFor();
  await shot("sign-in");
  await page.getByLabel("Token").fill("not-a-token");
  await page.keyboard.press("Enter");
  await page.getByText("The hub does not know this token").waitFor();
  await shot("sign-in-refused");

  await signIn();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  assert.equal(await page.title(), "Overview – Fanfare");
  const cookies = await page.context().cookies();
  assert.deepEqual(cookies.map((it) => [it.httpOnly, it.sameSite]), [[true, "Strict"]]);
  assert.equal(await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })), "{}");

  if (variant.startsWith("wide")) {
    // With the keyboard alone, past the menu.
    await page.getByRole("link", { name: "Skip to the content" }).focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  }
  await menu("Account");
  await page.getByRole("heading", { name: "Account" }).waitFor();
  await shot("account");
  await open("/nowhere/at-all");
  await page.getByRole("heading", { name: "There is nothing here" }).waitFor();

  await page.reload();
  await page.getByRole("heading", { name: "There is nothing here" }).waitFor();
  const menuButton = page.getByRole("button", { name: "Menu" });
  if (await menuButton.isVisible()) {
    await menuButton.click();
    await shot("menu");
  }
  // Not even a link that is none breaks the frame.
  await open("/topics/%E0%A4%A");
  await page.getByRole("heading", { name: "Topic" }).waitFor();
  // Who is signed out elsewhere hears of it here, without doing anything.
  await open("/overview");
  await page.getByText("Live", { exact: true }).waitFor();
  await page.evaluate(() => fetch("api/v1/session", { method: "DELETE", headers: { "X-Fanfare-Page": "1" } }));
  await page.getByLabel("Token").waitFor();
  await signIn();
  if (await menuButton.isVisible()) await menuButton.click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
  await page.reload();
  await page.getByLabel("Token").waitFor();
};
