// Publications: the list, one state of it, and one receipt with who has not got it.

export default async ({ page, menu, shot }) => {
  await menu("Publications");
  await page.getByRole("heading", { name: "Publications", level: 1 }).waitFor();
  await page.getByRole("rowheader").first().waitFor();
  await shot("publications");
  await page.getByRole("button", { name: "Retrying" }).click();
  // The first that they missed was tried; the later ones wait behind it.
  await page.getByRole("rowheader").getByRole("link").last().click();
  await page.getByRole("heading", { name: "Who has not got it" }).waitFor();
  await page.getByRole("link", { name: /overloaded/ }).waitFor();
  await page.getByText("no connection").first().waitFor();
  await shot("publication");
};
