import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect, it } from "vitest";
import { readPrices } from "../../../results/efficiency";

it("the example of prices can be read, relative to the checkout", () => {
  expect(readPrices("docs/prices.example.json")).toMatchObject({ currency: "EUR" });
  expect(readPrices(undefined)).toBeUndefined();
});

it.each([
  ["{", /prices names .*prices\.json, which is not right/],
  ['{"machine": "m"}', /cores/],
])("prices of %j are refused with the file and the reason", (text, why) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "prices-"));
  const file = path.join(folder, "prices.json");
  fs.writeFileSync(file, text);
  expect(() => readPrices(file)).toThrow(why);
  expect(() => readPrices(path.join(folder, "none"))).toThrow(/none, which is not right/);
  fs.rmSync(folder, { recursive: true });
});
