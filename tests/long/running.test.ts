/**
 * What runs stand on is killed, cut off or filled up while they run. Each run ends in a right,
 * verified result or in a failure that says why, within its time limit, and what is published is
 * whole and right all the time.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { quickRuns } from "../defaults";
import { readOr } from "../../infra/host/folders";
import { get } from "../../infra/host/probe";
import { ports } from "../../infra/settings/ports";
import type { Unverified } from "../../results/result";
import { readBack } from "../e2e/readBack";
import { asFlags, eventually, freeOffset, small, TestStack, type Finished } from "../e2e/stack";
import { redirectStore, StoreProxy, type Weather } from "./proxy";
import { randomNumbers, seed } from "./seed";
import { expectNothing, expectTruth } from "./truth";

const taxi = quickRuns("taxi-report");
const images = quickRuns("image-predictions");
const runs = [...taxi, ...images].sort();
const portOffset = freeOffset(17_500);
const minutes = (n: number) => n * 60_000;

/** The time limit of a run: with it, no fault makes one hang. Daft gives a lost store up after 212 s. */
const limit = 300;
const settings = {
  ...small,
  matrix: "quick",
  workloads: "taxi-report,image-predictions",
  fareAbove: 30,
  runTimeoutSeconds: limit,
  portOffset,
};

interface Summary {
  readonly status: "verified" | Unverified;
  readonly key: string;
  /** Of a failure: why, and the key of what is published. */
  readonly reason?: string;
  readonly published?: string | null;
}

const random = randomNumbers("running");
const turns = fs.mkdtempSync("/tmp/ec-turns-");
const stack = new TestStack("embedded", portOffset, { ENGINE_COMPARISON_TURNS: turns });

/** A file system of the test's own; preflight wants 2 GiB of it. */
const mounted =
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=2200m,mode=0700", "tmpfs", stack.home]).status ===
  0;
const resize = (size: string) =>
  spawnSync("mount", ["-o", `remount,size=${size}`, stack.home], { encoding: "utf8" });

const start = (changes: Record<string, string | number> = {}) =>
  stack.begin("start", "--runner", "embedded", ...asFlags({ ...settings, ...changes }));

beforeAll(async () => {
  const up = await start().finished;
  expect(up.code, up.stdout + up.stderr).toBe(0);
}, minutes(15));

afterAll(async () => {
  if (mounted) resize("2200m");
  if (fs.existsSync(stack.folder)) {
    const destroy = await stack.run("destroy");
    expect(destroy.code, destroy.stdout + destroy.stderr).toBe(0);
    await expectNothing(stack);
  }
  if (mounted) spawnSync("umount", ["-l", stack.home]);
  for (const folder of [stack.home, turns]) fs.rmSync(folder, { recursive: true, force: true });
}, minutes(5));

async function summaries(): Promise<{
  minioEndpoint: string;
  runs: Readonly<Record<string, Summary>>;
}> {
  return stack.outputs();
}

/** Holds that every run of these is verified or says why not, and what is published is right. */
async function expectRightOrClear(some: readonly string[], done: Finished): Promise<string[]> {
  const outputs = await summaries();
  const failed = some.filter((run) => outputs.runs[run].status !== "verified");
  expect(done.code, done.stdout + done.stderr).toBe(failed.length > 0 ? 1 : 0);
  for (const run of failed) {
    const reason = outputs.runs[run].reason ?? "";
    expect(reason.length, run).toBeGreaterThan(10);
    expect(reason, run).not.toContain("Traceback");
    expect(done.stdout, run).toContain(reason.split("\n")[0]);
    console.log(`${run} failed: ${reason.split("\n")[0]}`);
  }
  const published = Object.entries(outputs.runs).map(([run, { key, published }]) => [
    run,
    { key: published ?? key },
  ]);
  const answers = Object.fromEntries(published) as Record<string, { key: string }>;
  expect(readBack(stack, { ...outputs, ...settings, runs: answers })).toEqual([]);
  return failed;
}

/** Does runs again while `disturb` does what it does. */
async function rerun(some: readonly string[], disturb?: () => Promise<void>): Promise<Finished> {
  const before = some.map(lastAttempt);
  const [done] = await Promise.all([stack.run("rerun", ...some), disturb?.()]);
  some.forEach((run, n) => expect(lastAttempt(run), run).not.toBe(before[n]));
  return done;
}

/** The id of a run's last attempt, by its newest log. */
function lastAttempt(run: string): string {
  return (
    fs
      .readdirSync(path.join(stack.folder, "logs", run))
      .sort()
      .at(-1) ?? ""
  );
}

/** Waits until a run computes, which may be for a moment only. @throws Error where it does not */
async function computing(run: string): Promise<void> {
  const file = path.join(stack.folder, "runs", `${run}.progress.json`);
  for (const end = Date.now() + limit * 1000; Date.now() < end; await sleep(5)) {
    if (/"(first|hot) sample/.test(readOr(file) ?? "")) return;
  }
  throw new Error(`${run} took no sample`);
}

/** The stack's processes whose command line has these words. */
function processesOf(words: RegExp): number[] {
  return stack.processes().filter((pid) => {
    try {
      return words.test(fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "));
    } catch {
      return false;
    }
  });
}

/** Kills one of the processes with these words, as soon as there is one. */
async function kill(words: RegExp): Promise<void> {
  await eventually(`there is a process ${words}`, 120, () => processesOf(words).length > 0);
  process.kill(processesOf(words)[0], "SIGKILL");
}

const minioIsBack = () =>
  eventually("MinIO answers again", 60, async () => {
    const url = `http://127.0.0.1:${9000 + portOffset}/minio/health/ready`;
    return (await fetch(url).catch(() => null))?.ok ?? false;
  });

describe(`a process is killed in mid-run (seed ${seed})`, () => {
  it.each(taxi.concat("daft/image-predictions"))(
    "the object store, under %s",
    async (run) => {
      const done = await rerun([run], async () => {
        await computing(run);
        await kill(/\/minio server/);
      });
      await minioIsBack();
      await expectRightOrClear([run], done);
    },
    minutes(8),
  );

  it.each([
    ["a Spark executor", "spark/taxi-report", /CoarseGrainedExecutorBackend/],
    ["a Spark worker", "spark/image-predictions", /deploy\.worker\.Worker/],
    ["a worker process of Ray", "ray/image-predictions", /^ray::MapBatches|^ray::Map/],
    ["a worker process of Ray", "ray/taxi-report", /^ray::(?!\w+Agent)/],
  ])(
    "%s: %s is right all the same",
    async (_, run, words) => {
      const done = await rerun([run], async () => {
        await computing(run);
        await kill(words);
      });
      expect(await expectRightOrClear([run], done)).toEqual([]);
    },
    minutes(8),
  );

  it(
    "an agent of Ray's, which takes its node along: the node comes back, and the next attempt is right",
    async () => {
      const run = "ray/taxi-report";
      const [raylet] = processesOf(/\/raylet\/raylet /);
      const done = await rerun([run], async () => {
        await computing(run);
        await kill(/^ray::DashboardAgent/);
      });
      for (const failed of await expectRightOrClear([run], done)) {
        expect((await summaries()).runs[failed].reason).toContain("ray-head");
      }
      await eventually("another raylet answers", 180, async () => {
        const agent = `http://127.0.0.1:${ports(portOffset).ray.dashboardAgent}`;
        const others = processesOf(/\/raylet\/raylet /).filter((pid) => pid !== raylet);
        // Ray refuses what a browser could send, which `fetch` is like.
        return others.length > 0 && (await get(`${agent}/api/local_raylet_healthz`)) !== undefined;
      });
      expect(await expectRightOrClear([run], await rerun([run]))).toEqual([]);
    },
    minutes(8),
  );

  it.each(taxi)(
    "the job of %s: it fails, says so, and the next attempt is right",
    async (run) => {
      const done = await rerun([run], () => kill(/-m engine_comparison\.job/));
      expect(await expectRightOrClear([run], done)).toEqual([run]);
      expect(await expectRightOrClear([run], await rerun([run]))).toEqual([]);
    },
    minutes(6),
  );
});

describe(`the network to the store (seed ${seed})`, () => {
  const proxy = new StoreProxy(9000 + portOffset, random);
  let direct: (() => void) | undefined;

  afterEach(() => direct?.());
  afterAll(() => proxy.close());

  async function through(weather: Weather, some: readonly string[]): Promise<Finished> {
    proxy.weather = weather;
    direct = redirectStore(stack, await listening());
    return rerun(some);
  }

  let port: Promise<number> | undefined;
  const listening = () => (port ??= proxy.listen());

  it(
    "that delays changes no result",
    async () => {
      const done = await through({ kind: "delays", most: 30 }, runs);
      expect(await expectRightOrClear(runs, done)).toEqual([]);
    },
    minutes(15),
  );

  it.each([
    ["drops connections", { kind: "drops", share: 0.1, bytes: 200_000 }],
    ["truncates answers", { kind: "truncates", share: 0.1, bytes: 200_000 }],
  ] as const)(
    "that %s ends in right results or clear failures",
    async (_, weather) => {
      const done = await through(weather, runs);
      expect(proxy.cut).toBeGreaterThan(0);
      await expectRightOrClear(runs, done);
    },
    minutes(25),
  );

  it.each(taxi)(
    "that is gone in the middle of %s ends in a clear failure",
    async (run) => {
      proxy.weather = { kind: "calm" };
      direct = redirectStore(stack, await listening());
      const done = await rerun([run], async () => {
        await computing(run);
        proxy.goAway();
      });
      direct();
      expect(await expectRightOrClear([run], done)).toEqual([run]);
    },
    minutes(8),
  );

  it(
    "and calm again, all runs are right",
    async () => {
      const done = await rerun(runs);
      expect(await expectRightOrClear(runs, done)).toEqual([]);
    },
    minutes(15),
  );
});

describe("what is asked for does not fit", () => {
  it(
    "into memory: every run says so, and what was published stands",
    async () => {
      const done = await start({ runMemory: "64m" }).finished;
      expect(await expectRightOrClear(runs, done)).toEqual(runs);
      for (const { reason } of Object.values((await summaries()).runs)) {
        expect(reason).toContain("runMemory allows 0.06 GiB");
      }
      const back = await start({ runMemory: "6g" }).finished;
      expect(back.code, back.stdout + back.stderr).toBe(0);
      await expectTruth(stack, runs, settings);
    },
    minutes(15),
  );

  it.skipIf(!mounted)(
    mounted
      ? "onto the disk: runs say so, and with room again they are right"
      : "onto the disk (skipped: this user cannot mount a file system)",
    async () => {
      const { bavail, blocks, bsize } = fs.statfsSync(stack.home);
      resize(String((blocks - bavail) * bsize + 100_000));
      const done = await stack.run("rerun", ...taxi);
      resize("2200m");
      expect(done.code, done.stdout + done.stderr).toBe(1);
      expect(done.stdout + done.stderr).toMatch(/no room left|no space (is )?left/i);
      const again = await stack.run("rerun", ...taxi);
      expect(await expectRightOrClear(taxi, again)).toEqual([]);
      await expectTruth(stack, runs, settings);
    },
    minutes(15),
  );
});

it(
  "the object store killed in mid-upload: the next start has all of the data",
  async () => {
    const settled = { taxiRows: 400_000 };
    const going = start(settled);
    const state = path.join(stack.folder, "state.json");
    await eventually("the upload goes on", 120, () => {
      const { deployment } = JSON.parse(fs.readFileSync(state, "utf8")) as {
        deployment: { pending_operations?: { resource: { urn: string } }[] };
      };
      return Boolean(
        deployment.pending_operations?.some(({ resource }) =>
          resource.urn.endsWith("::taxi-upload"),
        ),
      );
    });
    await kill(/\/minio server/);
    const first = await going.finished;
    if (first.code !== 0) expect(first.stdout).toMatch(/do: /);
    const next = await start(settled).finished;
    expect(next.code, next.stdout + next.stderr).toBe(0);
    await expectTruth(stack, runs, settings);
  },
  minutes(15),
);
