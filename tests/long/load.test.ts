/** Much of everything: objects, bytes, results and life cycles. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { cacheFolder } from "../../infra/host/folders";
import { renderPage } from "../../report/page";
import { hasBrowser, openBrowser, withoutBrowser } from "../e2e/browser";
import { eventually, freeOffset, small, TestStack } from "../e2e/stack";
import { testUploads } from "../store/uploads";
import { twoHundred } from "../unit/report/synthetic";

const minutes = (n: number) => n * 60_000;

describe("an upload", () => {
  testUploads({ small: 20_000, largeBytes: 2 ** 31, mostBytes: 768 * 2 ** 20, minutes: 20 });
});

describe.skipIf(!hasBrowser)(`the report over 200 results${withoutBrowser}`, () => {
  it(
    "opens in under 2 seconds",
    async () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "report-load-"));
      const file = path.join(folder, "index.html");
      fs.writeFileSync(file, renderPage({ stack: "local", runs: twoHundred }));
      const browser = await openBrowser();
      const took: number[] = [];
      try {
        // The quickest of some: a browser's first page, and other work on the machine, say nothing.
        for (let n = 0; n < 5; n++) {
          const page = await browser.newPage();
          await page.goto(pathToFileURL(file).href, { waitUntil: "load" });
          expect(await page.locator("#glance tbody td").count()).toBe(200);
          took.push(
            await page.evaluate(() => performance.getEntriesByType("navigation")[0].duration),
          );
          await page.close();
        }
      } finally {
        await browser.close();
        fs.rmSync(folder, { recursive: true });
      }
      console.log(`milliseconds: ${took.map(Math.round).join(", ")}`);
      expect(Math.min(...took)).toBeLessThan(2_000);
    },
    minutes(3),
  );
});

/** How many life cycles there are; fewer while one works on them. */
const cycles = Number(process.env.LONG_CYCLES ?? 20);

describe("small life cycles", () => {
  const portOffset = freeOffset(20_000);
  // Short, because services have sockets under it.
  const temporary = fs.mkdtempSync("/tmp/ec-load-");
  const stack = new TestStack("embedded", portOffset, { TMPDIR: temporary });
  const settings = {
    ...small,
    matrix: "full",
    engines: "polars",
    workloads: "taxi-report",
    taxiRows: 20_000,
    taxiMonths: 2,
    sparkWorkers: 1,
    portOffset,
  };

  afterAll(async () => {
    if (fs.existsSync(stack.folder)) await stack.run("destroy");
    for (const folder of [stack.home, temporary]) fs.rmSync(folder, { recursive: true });
  }, minutes(5));

  /** What is in the caches, without the marks of other stacks that stand on them: those come and go. */
  const cachedNames = () =>
    namesIn(cacheFolder()).filter(
      (name) =>
        !name.startsWith("stacks/") ||
        fs.readFileSync(path.join(cacheFolder(), name), "utf8") === stack.folder,
    );

  async function done(verb: Promise<{ code: number | null; stdout: string; stderr: string }>) {
    const { code, stdout, stderr } = await verb;
    expect(code, stdout + stderr).toBe(0);
  }

  it(
    `leave nothing behind after ${cycles} of them but a line of history each`,
    async () => {
      const history = path.join(stack.folder, "history", "results.jsonl");
      let [cached, temporaries]: string[][] = [];
      for (let n = 1; n <= cycles; n++) {
        await done(stack.start(settings));
        await done(stack.run("destroy"));
        await eventually("no process is left", 15, () => stack.processes().length === 0);
        expect(namesIn(stack.home)).toEqual([
          ...[`${stack.name}/Pulumi.${stack.name}.yaml`, `${stack.name}/history/results.jsonl`],
          `${stack.name}/passphrase`,
        ]);
        expect(fs.readFileSync(history, "utf8").trimEnd().split("\n")).toHaveLength(n);
        // The first may fill the caches: ours, and those of compiled code among the temporary files.
        cached ??= cachedNames();
        temporaries ??= namesIn(temporary);
        expect(cachedNames()).toEqual(cached);
        expect(namesIn(temporary)).toEqual(temporaries);
        expect(temporaries.filter((name) => !/^(tsx|ts-node)-/.test(name))).toEqual([]);
      }
    },
    minutes(4 * cycles),
  );

  it(
    "of runs alone open nothing that stays open in the services",
    async () => {
      await done(stack.start(settings));
      const rerun = () => done(stack.run("rerun", "polars/taxi-report"));
      await rerun();
      const before = new Map(stack.processes().map((pid) => [pid, descriptors(pid)]));
      for (let n = 0; n < 5; n++) await rerun();
      const after = stack.processes();
      expect(after.sort()).toEqual([...before.keys()].sort());
      // A service keeps connections for a while: what grows with each run would be five and more.
      const grown = after.filter((pid) => descriptors(pid) >= before.get(pid)! + 5);
      expect(grown.map((pid) => fs.readFileSync(`/proc/${pid}/cmdline`, "utf8"))).toEqual([]);
      await done(stack.run("destroy"));
    },
    minutes(20),
  );
});

/** All that is no folder below one, by its name from there on. */
function namesIn(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

function descriptors(pid: number): number {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0; // it has ended
  }
}
