// Webhooks: one is made with its mistakes shown at their place, told of events, edited, rotated, pinged, replayed to, disabled and removed.

import assert from "node:assert/strict";

export default async ({ page, open, menu, shot, scene, variant }) => {
  await open("/webhooks");
  await page.getByRole("heading", { name: "Webhooks" }).waitFor();
  await page.getByRole("link", { name: "New webhook" }).click();
  await page.getByRole("heading", { name: "New webhook" }).waitFor();
  await page.getByLabel("Source", { exact: true }).selectOption("social");
  const url = `${scene.receiver}/${variant}`;
  await page.getByLabel("URL", { exact: true }).fill("ftp://receiver.example/");
  await page.getByLabel("All events").uncheck();
  await page.getByLabel("All of account").check();
  await page.getByLabel("report.created").check();
  await page.getByText("2 patterns").waitFor();

  // A mistake in the template is shown where it is, while somebody types.
  await page.getByRole("textbox", { name: "Template" }).fill("one line\n{{object.id");
  await page.getByText(/Line 2, column/).waitFor();
  await page.locator("pre.place").waitFor();
  await shot("webhook-mistakes");
  await page.getByRole("button", { name: "Make the webhook" }).click();
  await page.getByText(/has the scheme "ftp"/).first().waitFor();
  await page.getByLabel("URL", { exact: true }).fill(url);
  await page.getByRole("textbox", { name: "Template" }).fill('{"said":"{{event}}"}');
  await page.getByRole("region", { name: "Body that would be sent" }).getByText('"said": "account.').waitFor();
  await page.getByLabel("Event", { exact: true }).selectOption("report.created");
  await page.getByRole("region", { name: "Body that would be sent" }).getByText('"said": "report.created"').waitFor();
  await page.getByText("from an example, since none was raised yet").waitFor();
  // What else keeps it from being sent is said where it would be shown.
  await page.getByLabel("Further headers").fill("Host: elsewhere.example");
  await page.getByText(/Nothing could be sent as it stands\. .*Host cannot be set/).waitFor();
  await page.getByLabel("Further headers").fill("X-Api-Key: hush");
  await page.getByText("Nothing could be sent as it stands").waitFor({ state: "detached" });
  await shot("webhook-new");
  await page.getByRole("button", { name: "Make the webhook" }).click();

  await page.getByText("The secret, shown this once").waitFor();
  await page.getByText("told of 4 events of").waitFor();
  await shot("webhook");
  await page.getByRole("button", { name: "Ping" }).click();
  await page.getByRole("rowheader", { name: "ping" }).first().waitFor();
  await page.evaluate(async (payload) => {
    const raised = await fetch("social/events/account.created", { method: "POST", headers: { "Content-Type": "application/json", "X-Fanfare-Page": "1" }, body: payload });
    if (!raised.ok) throw new Error(await raised.text());
  }, scene.account);
  await page.getByRole("link", { name: "account.created" }).first().click();
  await page.getByRole("heading", { name: "account.created" }).waitFor();
  await page.getByRole("region", { name: "Body of the request" }).getByText('"said": "account.created"').waitFor();
  await page.getByRole("region", { name: "Body of the response" }).getByText("thanks").waitFor();
  await shot("webhook-delivery");
  await page.getByRole("button", { name: "Redeliver" }).click();
  await page.getByText("It is sent once more").waitFor();
  await page.getByRole("link", { name: "← The webhook" }).click();
  await page.getByText("again", { exact: true }).first().waitFor();
  await page.getByRole("button", { name: "Not taken" }).click();
  await page.getByText("None is like that.").waitFor();
  await page.getByRole("button", { name: "Taken", exact: true }).click();
  await page.getByRole("link", { name: "account.created" }).first().waitFor();

  await page.getByRole("button", { name: "Replay since…" }).click();
  await page.getByLabel("Since").fill("1h");
  await shot("webhook-replay");
  await page.getByRole("button", { name: "Replay them" }).click();
  await page.getByText("finished", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Redeliver all failed" }).click();
  await page.getByRole("button", { name: "Send them" }).click();
  await page.getByText("what had failed").waitFor();
  await shot("webhook-deliveries");

  await page.getByRole("button", { name: "Rotate secret" }).click();
  await page.getByRole("button", { name: "Rotate it" }).click();
  await page.getByText("The old secret signs").waitFor();

  await page.getByRole("link", { name: "Edit" }).click();
  // The preview is that of the last event, with all that the webhook has: what is masked too.
  await page.getByText("the last that was raised").waitFor();
  await page.getByRole("region", { name: "Headers that would be sent" }).getByText("x-api-key: ********").waitFor();
  await shot("webhook-edit");
  await page.getByLabel("At most so many in a second").fill("5");
  await page.getByLabel("In order").check();
  await page.getByLabel("Only events where").fill("$.event[");
  await page.getByRole("button", { name: "Keep the changes" }).click();
  await page.getByLabel("Only events where").and(page.locator("[aria-invalid]")).waitFor();
  await page.getByLabel("Only events where").fill("$.event");
  await page.getByRole("button", { name: "Keep the changes" }).click();
  await page.getByText("5 requests in a second at most").waitFor();
  await page.getByText("one after the other").waitFor();

  // A replay that is slow enough to be stopped.
  await page.getByRole("link", { name: "Edit" }).click();
  await page.getByLabel("At most so many in a second").fill("1");
  await page.getByRole("button", { name: "Keep the changes" }).click();
  await page.getByText("1 request in a second at most").waitFor();
  await page.evaluate(async (payload) => {
    const events = `[${Array(20).fill(payload).join()}]`;
    const raised = await fetch("social/events/account.created", { method: "POST", headers: { "Content-Type": "application/json", "X-Fanfare-Page": "1" }, body: events });
    if (!raised.ok) throw new Error(await raised.text());
  }, scene.account);
  await page.getByRole("button", { name: "Replay since…" }).click();
  await page.getByRole("button", { name: "Replay them" }).click();
  await page.getByRole("button", { name: "Stop…" }).click();
  await page.getByText("What was sent stays sent.").waitFor();
  await page.getByRole("button", { name: "Stop it" }).click();
  await page.getByText("stopped", { exact: true }).waitFor();

  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByText("Nothing is sent to it any more").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByRole("button", { name: "Disable it" }).click();
  await page.getByRole("button", { name: "Enable" }).waitFor();
  await menu("Webhooks");
  await page.getByLabel("Search").fill(variant);
  await page.locator(".badge", { hasText: "disabled" }).first().waitFor();
  await shot("webhooks");
  await page.getByRole("button", { name: "Active", exact: true }).click();
  await page.getByText("No webhook is like that.").waitFor();
  await page.getByRole("button", { name: "Disabled", exact: true }).click();
  await page.getByRole("link", { name: new RegExp(variant) }).click();
  await page.getByRole("button", { name: "Enable" }).click();
  await page.getByRole("button", { name: "Disable" }).waitFor();
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("button", { name: "Remove it" }).click();
  await page.getByText("Removed.").waitFor();
  await page.getByLabel("Search").fill(variant);
  await page.getByText("No webhook is like that.").waitFor();
  assert.equal(await page.getByRole("link", { name: new RegExp(variant) }).count(), 0);
};
