// `npm test`: every check on a bare machine. Needs nothing installed beforehand, runs part after
// part, goes on after failures, and ends with `N passed, N failed, N skipped`.
//
//   npm test                      all parts
//   npm test -- --only unit,lint  some parts, by name
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { install } from "../cli/install.mjs";
import { bin, checkout, ok, one, scratch, Tally, vitest } from "./counting.mjs";

const { values } = parseArgs({ options: { only: { type: "string" } } });
const only = values.only?.split(",");

/** Pytest, counted from its JUnit report. */
function pytest(python, env) {
  const report = path.join(scratch, "pytest.xml");
  const passed = ok(python, ["-m", "pytest", "-q", "tests/python", `--junitxml=${report}`, "-rs"], {
    env,
  });
  if (!fs.existsSync(report)) return one(false);
  const head = /<testsuite [^>]*>/.exec(fs.readFileSync(report, "utf8"))?.[0] ?? "";
  const count = (what) => Number(new RegExp(` ${what}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = count("failures") + count("errors") || (passed ? 0 : 1);
  const skipped = count("skipped");
  return { passed: count("tests") - failed - skipped, failed, skipped };
}

/** The Python of the locked environment with the tools that check it, built on first use. */
let pythonPath;
function python() {
  pythonPath ??= spawnSync(process.execPath, ["--import", "tsx", "tests/pythonEnvironment.ts"], {
    cwd: checkout,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).stdout.trim();
  if (!pythonPath) throw new Error("the Python environment could not be built");
  return pythonPath;
}

/** What a stack has left in the cache, or nothing: tests that need it are then skipped. */
function cached(kind, file) {
  const cache =
    process.env.ENGINE_COMPARISON_CACHE ||
    path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "engine-comparison");
  const folder = path.join(cache, kind);
  const built = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  return built.map((key) => path.join(folder, key, file)).find(fs.existsSync) ?? "";
}

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
  python: () =>
    pytest(python(), { MINIO_BIN: cached("minio", "minio"), SPARK_JARS: cached("jars", "") }),
};

const tally = new Tally();
await tally.run("install", async () => one(await install(checkout)));
for (const [name, part] of Object.entries(parts)) {
  if (!only || only.includes(name)) await tally.run(name, part);
}
tally.end();
