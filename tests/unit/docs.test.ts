import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { configurationPage } from "../../docs/configuration";

const checkout = path.join(__dirname, "..", "..");

it("docs/configuration.md is what Pulumi.yaml says", () => {
  const page = fs.readFileSync(path.join(checkout, "docs", "configuration.md"), "utf8");
  expect(page).toBe(configurationPage());
});

it("every relative link in README and docs leads to a file", () => {
  const pages = [
    "README.md",
    ...fs.readdirSync(path.join(checkout, "docs")).map((f) => `docs/${f}`),
  ];
  for (const page of pages.filter((name) => name.endsWith(".md"))) {
    const text = fs.readFileSync(path.join(checkout, page), "utf8");
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      const target = path.join(checkout, path.dirname(page), link);
      expect(fs.existsSync(target), `${page} links to ${link}`).toBe(true);
    }
  }
});
