// Sources: one is declared, a test event is raised from an example, its inbox gets a secret, a token is given out and taken back, and it is dropped.

export default async ({ page, open, shot, variant }) => {
  const name = `shop-${variant}`;
  await open("/sources");
  await page.getByRole("heading", { name: "Sources" }).waitFor();
  await page.getByRole("rowheader", { name: "social" }).waitFor();
  await shot("sources");
  await page.getByRole("button", { name: "Declare a source" }).click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Dialect").selectOption("mastodon");
  await page.getByLabel("Further events").fill("order.made, order.sent");
  await shot("source-declare");
  await page.getByRole("button", { name: "Declare it" }).click();
  await page.getByRole("heading", { name }).waitFor();
  await page.getByText("9 events").waitFor();

  await page.getByLabel("Event", { exact: true }).selectOption("account.created");
  await page.getByRole("button", { name: "Fill in an example" }).click();
  await page.waitForFunction(() => document.querySelector("textarea").value.includes('"username"'));
  await page.getByRole("button", { name: "Raise it" }).click();
  await page.getByText("Raised.").waitFor();
  await page.getByLabel("Payload").fill('{"id":7}');
  await page.getByRole("button", { name: "Raise it" }).click();
  await page.getByText(/username is missing|id is a number/i).waitFor();

  await page.getByRole("button", { name: "Set a secret" }).click();
  await page.getByLabel("Secret", { exact: true }).fill("a secret of the inbox");
  await page.getByRole("button", { name: "Set it" }).click();
  await page.getByText("there is one").waitFor();
  await page.getByRole("button", { name: "Have none" }).click();
  await page.getByText("believed only if they bring a publisher's token").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText(`/${name}/inbox`).waitFor();

  await page.getByRole("button", { name: "New token…" }).click();
  await page.getByLabel("For whom").fill("the shop's program");
  await page.getByLabel("For which events").fill("order.*");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByText("The token, shown this once").waitFor();
  await page.getByRole("rowheader", { name: "the shop's program" }).waitFor();
  await shot("source");
  await page.getByRole("button", { name: "Revoke the shop's program…" }).click();
  await page.getByRole("button", { name: "Revoke it" }).click();
  await page.getByText("None is good for it.").waitFor();

  await page.getByRole("button", { name: "Change" }).click();
  await page.getByLabel("Who may read its events").selectOption("yes");
  await page.getByRole("button", { name: "Change it" }).click();
  await page.getByText("read by who has a token").waitFor();
  await page.getByRole("listitem").getByText("order.made", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Drop" }).click();
  await page.getByText("Nothing can raise its events any more").waitFor();
  await page.getByRole("button", { name: "Drop it" }).click();
  await page.getByText("Dropped.").waitFor();
  await page.getByRole("rowheader", { name: "social" }).waitFor();
};
