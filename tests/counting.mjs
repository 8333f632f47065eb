// What `npm test` and `npm run test:long` share: running programs, and counting what they say.
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

export const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

/** A folder for reports, gone when the program ends. */
export const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "engine-comparison-test-"));
process.on("exit", () => fs.rmSync(scratch, { recursive: true, force: true }));

/** Where npm puts a dependency's program. */
export const bin = (name) => path.join(checkout, "node_modules", ".bin", name);

/** The count of a part that either passes or fails. */
export const one = (passed) => ({ passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 });

/** Runs a program with inherited output; true when it exits 0 before it must have hung. */
export function ok(file, args, { env = {}, minutes = 25 } = {}) {
  const done = spawnSync(file, args, {
    cwd: checkout,
    stdio: ["ignore", "inherit", "inherit"],
    timeout: minutes * 60_000,
    killSignal: "SIGKILL",
    env: { ...process.env, ...env },
  });
  return done.status === 0;
}

/** Vitest over some folders or files, counted from its JSON report; skipped tests are told by name. */
export function vitest(name, files, options) {
  const report = path.join(scratch, `${name}.json`);
  const args = ["run", ...files, "--reporter=default", "--reporter=json"];
  const passed = ok(bin("vitest"), [...args, `--outputFile.json=${report}`], options);
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

/** Pytest over the tests that have the marks, counted from its JUnit report. */
export function pytest(marks) {
  const report = path.join(scratch, "pytest.xml");
  const args = ["-m", "pytest", "-q", "tests/python", "-m", marks, `--junitxml=${report}`, "-rs"];
  const env = {
    MINIO_BIN: cached("minio", "minio"),
    TOXIPROXY_BIN: cached("toxiproxy", "server"),
    SPARK_JARS: cached("jars", ""),
  };
  const passed = ok(python(), args, { env });
  if (!fs.existsSync(report)) return one(false);
  const head = /<testsuite [^>]*>/.exec(fs.readFileSync(report, "utf8"))?.[0] ?? "";
  const count = (what) => Number(new RegExp(` ${what}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = count("failures") + count("errors") || (passed ? 0 : 1);
  const skipped = count("skipped");
  return { passed: count("tests") - failed - skipped, failed, skipped };
}

/** The Python of the locked environment with the tools that check it, built on first use. */
let pythonPath;
export function python() {
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

/** Runs parts one after the other, goes on after failures, and sets the exit code at the end. */
export class Tally {
  #total = { passed: 0, failed: 0, skipped: 0 };
  #rows = [];

  /** Runs one part; a part that throws counts as one failure. */
  async run(name, part) {
    console.log(`\n=== ${name}`);
    const started = Date.now();
    let counts;
    try {
      counts = await part();
    } catch (error) {
      console.log(String(error.stack ?? error));
      counts = one(false);
    }
    for (const key of Object.keys(this.#total)) this.#total[key] += counts[key];
    this.#rows.push({ part: name, seconds: Math.round((Date.now() - started) / 1000), ...counts });
  }

  /** Prints the table and `N passed, N failed, N skipped`. */
  end() {
    const { passed, failed, skipped } = this.#total;
    console.table(this.#rows);
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    process.exitCode = failed > 0 ? 1 : 0;
  }
}
