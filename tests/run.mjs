// `npm test`: every check on a bare machine. Needs nothing installed beforehand, runs part after
// part, goes on after failures, and ends with `N passed, N failed, N skipped`.
//
//   npm test                      all parts
//   npm test -- --only unit,lint  some parts, by name
import { parseArgs } from "node:util";
import { install } from "../cli/install.mjs";
import { bin, checkout, ok, one, pytest, python, Tally, vitest } from "./counting.mjs";

const { values } = parseArgs({ options: { only: { type: "string" } } });
const only = values.only?.split(",");

const packageFolder = "pipelines/engine_comparison";
const ruff = (...args) =>
  ok(python(), [
    "-m",
    "ruff",
    ...args,
    "--config",
    "pipelines/pyproject.toml",
    packageFolder,
    "bench",
    "tests/python",
  ]);

const mypy = (folder) =>
  ok(python(), ["-m", "mypy", "--config-file", "pipelines/pyproject.toml", folder], {
    MYPYPATH: "pipelines",
  });

const parts = {
  types: () => one(ok(bin("tsc"), ["-p", "."])),
  lint: () => one(ok(bin("eslint"), ["."])),
  format: () => one(ok(bin("prettier"), ["--check", "."])),
  unit: () => vitest("unit", ["tests/unit"]),
  property: () => vitest("property", ["tests/property"]),
  "python-env": () => one(Boolean(python())),
  "python-lint": () => one(ruff("check")),
  "python-format": () => one(ruff("format", "--check")),
  "python-types": () => one(mypy(packageFolder) && mypy("bench")),
  conformance: () => vitest("conformance", ["tests/conformance"]),
  e2e: () => vitest("e2e", ["tests/e2e"]),
  // These are last, because they take the MinIO and the jars that e2e has left.
  store: () => vitest("store", ["tests/store"]),
  python: () => pytest("not long"),
};

const tally = new Tally();
await tally.run("install", async () => one(await install(checkout)));
for (const [name, part] of Object.entries(parts)) {
  if (!only || only.includes(name)) await tally.run(name, part);
}
tally.end();
