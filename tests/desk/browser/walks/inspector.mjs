// The inspector: an address in one click, requests as they arrive, their signatures, and how it answers.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

export default async ({ page, open, shot }) => {
  await open("/inspector");
  await page.getByRole("heading", { name: "Inspector" }).waitFor();
  await page.getByRole("button", { name: "Make an address" }).click();
  await page.getByRole("heading", { name: "Address" }).waitFor();
  await page.getByText("Nothing yet.").waitFor();
  const url = await page.locator(".lead code").textContent();

  // A number that a script would not know any more.
  const body = '{"hello":["world",12345678901234567890]}';
  const signature = `sha256=${createHmac("sha256", "hush").update(body).digest("hex")}`;
  const answer = await fetch(url, { method: "POST", body, headers: { "Content-Type": "application/json", "X-Hub-Signature-256": signature } });
  assert.equal(answer.status, 200);
  await page.getByText("Live, 1 request").waitFor();
  await page.getByRole("heading", { name: "Request 1" }).waitFor();
  await page.getByRole("region", { name: "Body" }).getByText('"hello": [').waitFor();
  await page.getByRole("region", { name: "Body" }).getByText("    12345678901234567890").waitFor();
  await page.getByRole("region", { name: "Headers" }).getByText(`x-hub-signature-256: ${signature}`).waitFor();
  await page.getByRole("button", { name: "Raw" }).click();
  await page.getByRole("region", { name: "Body" }).getByText(body).waitFor();
  await page.getByLabel("Secret", { exact: true }).fill("other");
  await page.getByRole("button", { name: "Check it" }).click();
  await page.getByText("wrong", { exact: true }).first().waitFor();
  await page.getByLabel("Secret", { exact: true }).fill("hush");
  await page.getByRole("button", { name: "Check it" }).click();
  await page.getByText("verified", { exact: true }).waitFor();

  assert.equal(await (await fetch(`${url}?hub.mode=subscribe&hub.challenge=abc`)).text(), "abc");
  await page.getByText("Live, 2 requests").waitFor();
  await page.getByText("verification", { exact: true }).waitFor();
  await shot("inspector");

  await page.getByLabel("Status", { exact: true }).fill("503");
  await page.getByLabel("After", { exact: true }).fill("2h");
  await page.getByRole("button", { name: "Answer so" }).click();
  await page.getByText(/is more than 1m/).waitFor();
  await page.getByLabel("After", { exact: true }).fill("1ms");
  await page.getByLabel("Confirm subscriptions").uncheck();
  await page.getByRole("button", { name: "Answer so" }).click();
  await page.getByText(/Now: 503 after 1ms, does not confirm; ends in/).waitFor();
  assert.equal((await fetch(`${url}?hub.challenge=abc`)).status, 503);
  await page.getByText("Live, 3 requests").waitFor();

  await page.getByRole("button", { name: "Forget all" }).click();
  await page.getByRole("button", { name: "Forget them" }).click();
  await page.getByText("Nothing yet.").waitFor();
  await page.getByRole("link", { name: "← Inspector" }).click();
  await page.getByRole("rowheader", { name: url }).waitFor();
  await shot("inspectors");
  await page.getByRole("button", { name: `End ${url}` }).click();
  await page.getByRole("button", { name: "End it" }).click();
  await page.getByRole("rowheader", { name: url }).waitFor({ state: "detached" });
  assert.equal((await fetch(url)).status, 410);
};
