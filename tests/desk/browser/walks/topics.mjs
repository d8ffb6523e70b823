// Topics: search, one with what it says, and a ping.

export default async ({ page, open, menu, shot, scene }) => {
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
  await page.getByRole("img", { name: "Subscribers" }).waitFor();
  await shot("topic");
  await page.getByRole("button", { name: "Ping now" }).click();
  await page.getByText(/Pinged: the hub fetches it now/).waitFor();
  await page.getByText(/unchanged/).first().waitFor();

  // One that has moved, and the page that it has moved to.
  await open(`/topics?search=${encodeURIComponent(scene.old)}`);
  await page.getByText("another name of").waitFor();
  await page.getByRole("rowheader").getByRole("link").first().click();
  await page.getByText("Another name of").waitFor();
  await open(`/topics?search=${encodeURIComponent(scene.new)}`);
  await page.getByRole("rowheader").getByRole("link").first().click();
  await page.getByText("Other names").waitFor();
  await page.getByRole("link", { name: scene.old }).waitFor();
  await page.getByRole("button", { name: "Show it" }).click();
  await page.getByText("Fetched from its URL just now.").waitFor();
};
