// Walks one view of the admin page in Debian's Chromium. In: the name of a walk (walks/<name>.mjs), and from the environment the hub (FANFARE_URL), a
// token (FANFARE_TOKEN), where npm's packages are (FOREIGN), where pictures go (SCREENSHOTS), and what the walk is told besides (SCENE, as JSON). Out:
// exit code 0, or what went wrong.
//
// A walk is `export default async ({ page, open, shot, check, scene }) => {}`. It is walked in light and dark, wide and phone-sized, each time
// signed in anew; `export const variants = ["wide-light"]` makes it fewer, for what changes the hub. Whatever a walk does, it fails if a script breaks,
// something is loaded from elsewhere or against the policy, or a page is wider than the screen.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const { FANFARE_URL, FANFARE_TOKEN, FOREIGN, SCREENSHOTS, CHROMIUM = "/usr/bin/chromium" } = process.env;
const foreign = createRequire(path.join(FOREIGN, "package.json"));
const { chromium } = foreign("playwright-core");
const AXE = readFileSync(foreign.resolve("axe-core/axe.min.js"), "utf8");

const VARIANTS = {
  "wide-light": { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  "wide-dark": { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  "phone-light": { viewport: { width: 360, height: 740 }, colorScheme: "light", hasTouch: true, isMobile: true },
  "phone-dark": { viewport: { width: 360, height: 740 }, colorScheme: "dark", hasTouch: true, isMobile: true },
};

const name = process.argv[2];
const walk = await import(`./walks/${name}.mjs`);
mkdirSync(SCREENSHOTS, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
try {
  for (const variant of walk.variants || Object.keys(VARIANTS)) await once(variant);
} finally {
  await browser.close();
}

async function once(variant) {
  const context = await browser.newContext({ ...VARIANTS[variant], reducedMotion: "reduce", locale: "en-GB", timezoneId: "UTC" });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`a script broke: ${error.stack}`));
  page.on("console", (message) => {
    // What the hub refuses is the walk's to look at; the browser reports each as an error.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(`the console says: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(FANFARE_URL) && !request.url().startsWith("data:")) wrong.push(`a request to ${request.url()}`);
  });
  const tools = {
    page,
    variant,
    scene: JSON.parse(process.env.SCENE || "{}"),
    /** Goes to a view, such as `/topics`. */
    open: async (place = "/") => {
      await page.goto(`${FANFARE_URL}admin#${place}`);
    },
    /** Signs in; a walk is signed in when it begins. */
    signIn: async (token = FANFARE_TOKEN) => {
      await page.getByLabel("Token").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("navigation", { name: "Views", includeHidden: true }).waitFor({ state: "attached" });
    },
    /** Goes to a view by the menu, which on a phone is opened first. */
    menu: async (text) => {
      const button = page.getByRole("button", { name: "Menu" });
      if (await button.isVisible()) await button.click();
      await page.getByRole("link", { name: text, exact: true }).click();
    },
    /** Takes a picture, and checks what is seen: axe, and that nothing stands out at the side. */
    shot: async (title) => {
      await page.screenshot({ path: path.join(SCREENSHOTS, `${title}-${variant}.png`), fullPage: true });
      await check(page, `${title}, ${variant}`);
    },
    check: (title) => check(page, `${title}, ${variant}`),
  };
  try {
    await tools.open("/");
    if (!walk.signedOut) await tools.signIn();
    await walk.default(tools);
    assert.deepEqual(wrong, []);
  } catch (error) {
    await page.screenshot({ path: path.join(SCREENSHOTS, `failed-${name}-${variant}.png`) });
    console.error(`${name}, ${variant}, at ${page.url()}:\n${error.stack}\n${wrong.join("\n")}`);
    process.exitCode = 1;
  } finally {
    await context.close();
  }
}

async function check(page, title) {
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= screen, `${title}: ${wide} pixels wide on a screen of ${screen}`);
  // Not a script of the page, whose policy would not let it in.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter((it) => it.impact === "serious" || it.impact === "critical");
  const words = serious.map((it) => `${it.id}: ${it.help}\n${it.nodes.slice(0, 5).map((node) => `  ${node.html}\n  ${node.failureSummary}`).join("\n")}`);
  assert.deepEqual(words, [], title);
}
