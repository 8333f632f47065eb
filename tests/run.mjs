// `npm test`: every check on a bare machine. Needs nothing installed beforehand, runs part after
// part, goes on after failures, and ends with `N passed, N failed, N skipped`.
//
//   npm test                      all parts
//   npm test -- --only unit,lint  some parts, by name
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { install } from "../cli/install.mjs";

const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const { values } = parseArgs({ options: { only: { type: "string" } } });
const only = values.only?.split(",");
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "engine-comparison-test-"));

/** No part takes longer unless it hangs; then it counts as failed. Milliseconds. */
const longest = 25 * 60_000;

/** Runs a program with inherited output; true when it exits 0. */
function ok(file, args, env = {}) {
  const done = spawnSync(file, args, {
    cwd: checkout,
    stdio: ["ignore", "inherit", "inherit"],
    timeout: longest,
    killSignal: "SIGKILL",
    env: { ...process.env, ...env },
  });
  return done.status === 0;
}

const bin = (name) => path.join(checkout, "node_modules", ".bin", name);
const one = (passed) => ({ passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 });

/** Vitest over some folders, counted from its JSON report; skipped tests are told by name. */
function vitest(name, folders, env) {
  const report = path.join(scratch, `${name}.json`);
  const args = ["run", ...folders, "--reporter=default", "--reporter=json"];
  const passed = ok(bin("vitest"), [...args, `--outputFile.json=${report}`], env);
  if (!fs.existsSync(report)) return one(false);
  const counts = JSON.parse(fs.readFileSync(report, "utf8"));
  for (const test of counts.testResults.flatMap((file) => file.assertionResults)) {
    if (test.status === "pending" || test.status === "skipped") {
      console.log(`skipped: ${test.fullName}`);
    }
  }
  const failed = counts.numFailedTests + (counts.numFailedTestSuites && !counts.numFailedTests);
  return {
    passed: counts.numPassedTests,
    failed: Number(failed) || (passed ? 0 : 1),
    skipped: counts.numPendingTests + counts.numTodoTests,
  };
}

/** Pytest, counted from its JUnit report. */
function pytest(python, env) {
  const report = path.join(scratch, "pytest.xml");
  const passed = ok(
    python,
    ["-m", "pytest", "-q", "tests/python", `--junitxml=${report}`, "-rs"],
    env,
  );
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
    "tests/python",
  ]);

const parts = {
  types: () => one(ok(bin("tsc"), ["-p", "."])),
  lint: () => one(ok(bin("eslint"), ["."])),
  format: () => one(ok(bin("prettier"), ["--check", "."])),
  unit: () => vitest("unit", ["tests/unit"]),
  property: () => vitest("property", ["tests/property"]),
  "python-env": () => one(Boolean(python())),
  "python-lint": () => one(ruff("check")),
  "python-format": () => one(ruff("format", "--check")),
  "python-types": () =>
    one(ok(python(), ["-m", "mypy", "--config-file", "pipelines/pyproject.toml", packageFolder])),
  conformance: () => vitest("conformance", ["tests/conformance"]),
  e2e: () => vitest("e2e", ["tests/e2e"]),
  // Last, because its tests against a real store take the MinIO and jars that e2e has left.
  python: () =>
    pytest(python(), { MINIO_BIN: cached("minio", "minio"), SPARK_JARS: cached("jars", "") }),
};

const total = { passed: 0, failed: 0, skipped: 0 };
const rows = [];

/** Runs one part; a part that throws counts as one failure. */
async function run(name, part) {
  console.log(`\n=== ${name}`);
  const started = Date.now();
  let counts;
  try {
    counts = await part();
  } catch (error) {
    console.log(String(error.stack ?? error));
    counts = one(false);
  }
  for (const key of Object.keys(total)) total[key] += counts[key];
  rows.push({ part: name, seconds: Math.round((Date.now() - started) / 1000), ...counts });
}

await run("install", async () => one(await install(checkout)));
for (const [name, part] of Object.entries(parts)) {
  if (!only || only.includes(name)) await run(name, part);
}
fs.rmSync(scratch, { recursive: true, force: true });
console.table(rows);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
