// Settings: health, a token that is made, shown once and revoked, and the effective settings.

import assert from "node:assert/strict";

export default async ({ page, menu, shot, variant }) => {
  await menu("Settings");
  await page.getByText("Ready.").waitFor();
  await page.getByRole("button", { name: "New token" }).click();
  await page.getByLabel("Name").fill(`for ${variant}`);
  await page.getByLabel("Sources").fill("no such name!");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByRole("alert").waitFor();
  await shot("settings-new-token");
  await page.getByLabel("Sources").fill("social, octocat/*");
  await page.getByLabel("Role").selectOption("manager");
  await page.getByLabel("Events").fill("account.*");
  await page.getByLabel("Expires in").fill("90d");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByText("it is shown this once").waitFor();
  const text = await page.getByRole("region", { name: "The new token" }).textContent();
  assert.match(text, /^fanfare_[0-9a-f]{48}$/);
  await page.getByRole("row").filter({ hasText: `for ${variant}` }).filter({ hasText: "manager" }).filter({ hasText: "account.*" }).waitFor();
  await page.getByText("Version").waitFor();
  await shot("settings");
  await page.getByRole("button", { name: "I have it" }).click();
  await page.reload();
  await page.getByText("Ready.").waitFor();
  assert.equal(await page.getByText(text).count(), 0);

  await page.getByRole("button", { name: `Revoke for ${variant}…` }).click();
  await page.getByText("This cannot be taken back").waitFor();
  await page.getByRole("button", { name: "Revoke it" }).click();
  await page.getByText(`for ${variant} is revoked.`).waitFor();
  await page.getByRole("button", { name: `Revoke for ${variant}…` }).waitFor({ state: "detached" });

  await page.getByLabel("Search").fill("auth.admin");
  await page.getByRole("rowheader", { name: "auth.admin_token" }).waitFor();
  await page.getByText("********").first().waitFor();
};
