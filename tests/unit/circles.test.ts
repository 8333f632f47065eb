import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import * as ts from "typescript";
import { expect, it } from "vitest";
import { checkout } from "../../infra/host/folders";

/** The product's TypeScript, relative to the checkout. */
const files = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard", "*.ts"],
  {
    cwd: checkout,
    encoding: "utf8",
  },
)
  .split("\n")
  .filter((file) => file && !file.startsWith("tests/") && fs.existsSync(path.join(checkout, file)));

/** What a file imports of the product, types included. */
function importsOf(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(fs.readFileSync(path.join(checkout, file), "utf8"));
  return importedFiles
    .filter(({ fileName }) => fileName.startsWith("."))
    .map(({ fileName }) => path.join(path.dirname(file), fileName))
    .map((place) => [`${place}.ts`, `${place}/index.ts`].find((name) => files.includes(name)))
    .filter((name) => name !== undefined);
}

it("no file imports itself in a circle, types included", () => {
  const imports = new Map(files.map((file) => [file, importsOf(file)]));
  const reached = (from: string) => {
    const seen = new Set<string>();
    const visit = (file: string): void =>
      imports.get(file)!.forEach((next) => {
        if (!seen.has(next)) visit((seen.add(next), next));
      });
    visit(from);
    return seen;
  };
  expect(files.length).toBeGreaterThan(100);
  expect(files.filter((file) => reached(file).has(file))).toEqual([]);
});
