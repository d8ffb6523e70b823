// With the keyboard alone: signed in, a view from the menu, a search, a subscription, a dialog that is left and one that is answered.

import assert from "node:assert/strict";

export const signedOut = true;
export const variants = ["wide-light"];

export default async ({ page }) => {
  const focused = () => page.evaluate(() => {
    const it = document.activeElement;
    return it.labels?.[0]?.textContent || it.getAttribute("aria-label") || it.textContent;
  });
  /** Goes on to what is called so; and it is seen where one is. */
  const to = async (name, key = "Tab") => {
    for (let steps = 0; steps < 60; steps++) {
      if ((await focused()).trim().match(name)) {
        const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.notEqual(outline, "none", `nobody sees that ${name} has the focus`);
        return;
      }
      await page.keyboard.press(key);
    }
    assert.fail(`the keyboard does not come to ${name}`);
  };
  await page.getByLabel("Token").waitFor();
  await to(/^Token$/);
  await page.keyboard.type(process.env.FANFARE_TOKEN);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await to(/^Subscriptions$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Subscriptions", level: 1 }).waitFor();
  await to(/^Behind$/);
  await page.keyboard.press("Space");
  await page.getByText("1 behind").or(page.getByText(/\d behind/)).first().waitFor();
  await to(/^Search$/);
  await page.keyboard.type("overloaded");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await to(/overloaded/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /overloaded/ }).waitFor();

  await to(/^Remove…$/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await focused(), "Remove…", "the focus comes back to where it was");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await to(/^Remove it$/);
  await page.keyboard.press("Enter");
  await page.getByText("Removed.").waitFor();
  await page.getByText("No subscription fits.").or(page.getByRole("heading", { name: "Subscriptions", level: 1 })).first().waitFor();
};
