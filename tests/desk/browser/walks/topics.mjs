// Topics: search, one with what it says, and a ping.

export default async ({ page, menu, shot }) => {
  await menu("Topics");
  await page.getByRole("heading", { name: "Topics", level: 1 }).waitFor();
  await page.getByLabel("Search").fill("news");
  await page.getByRole("link", { name: /topics\/news/ }).waitFor();
  await shot("topics");
  await page.getByRole("link", { name: /topics\/news/ }).click();
  await page.getByRole("button", { name: "Show it" }).click();
  await page.getByText("The hub serves it itself.").waitFor();
  await page.getByRole("region", { name: "Content" }).getByText("Three").waitFor();
  await page.getByRole("rowheader").first().waitFor();
  await shot("topic");
  await page.getByRole("button", { name: "Ping now" }).click();
  await page.getByText(/Pinged: the hub fetches it now/).waitFor();
  await page.getByText(/unchanged/).first().waitFor();
};
