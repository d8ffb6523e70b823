// What somebody sees who is no administrator.

import assert from "node:assert/strict";

export const variants = ["wide-light"];

export default async ({ page, open, scene }) => {
  const words = await page.getByRole("navigation", { name: "Views" }).getByRole("link").allTextContents();
  for (const word of ["Overview", "Topics", "Subscriptions", "Publications", "Settings"]) assert.ok(!words.includes(word), words.join());
  assert.ok(words.includes("Account"));
  await open("/account");
  await page.getByText(scene.role, { exact: true }).first().waitFor();
  await open("/overview");
  await page.getByRole("heading", { name: "Not with this token" }).waitFor();
};
