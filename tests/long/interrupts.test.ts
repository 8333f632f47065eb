/**
 * kill -9 and Ctrl-C of `npm start` and `npm run destroy`, and of `pulumi up` and `pulumi destroy`, at
 * seeded random moments. After each, the next `npm start` or `pulumi up` finishes, and what stands is
 * the truth.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { quickRuns } from "../defaults";
import { eventually, freeOffset, onPath, small, TestStack, type Begun } from "../e2e/stack";
import { anyTime, comes, momentsOf, type Beginning, type Moment } from "./moments";
import { OwnCliStack } from "./ownCli";
import { randomNumbers, seed } from "./seed";
import { expectNothing, expectTruth, plugins, pulumiOf, strays } from "./truth";

const minutes = (n: number) => n * 60_000;

/** How many moments each stack gets at most; fewer while one works on them. */
const most = Number(process.env.LONG_INTERRUPTS ?? 30);

const ways = ["kill -9", "kill -9 of the group", "Ctrl-C", "Ctrl-C twice"] as const;
type Way = (typeof ways)[number] | "kill -9 of pulumi";

const oneRun = {
  ...small,
  matrix: "full",
  engines: "polars",
  workloads: "taxi-report",
  taxiRows: 20_000,
  taxiMonths: 2,
  sparkWorkers: 1,
};
const atAnyTime: Moment[] = [
  anyTime("nothing stands", 40),
  anyTime("another question is asked", 15),
  anyTime("the data are lost", 20),
  anyTime("everything stands, and is destroyed", 5),
  anyTime("nothing stands", 20),
];

interface Case {
  readonly runner: "embedded" | "pulumi" | "own pulumi";
  readonly portOffset: number;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly runs: readonly string[];
  readonly moments: readonly Moment[];
}

const withoutCli = onPath("pulumi") ? "" : " (skipped: the Pulumi CLI is not on PATH)";

const cases: [string, Case][] = [
  [
    "a small stack",
    {
      runner: "embedded",
      portOffset: freeOffset(17_000),
      settings: oneRun,
      runs: ["polars/taxi-report"],
      moments: momentsOf("polars/taxi-report"),
    },
  ],
  [
    `a small stack, by the Pulumi CLI${withoutCli}`,
    {
      runner: "pulumi",
      portOffset: freeOffset(17_100),
      settings: oneRun,
      runs: ["polars/taxi-report"],
      moments: atAnyTime,
    },
  ],
  [
    `a small stack, by pulumi up${withoutCli}`,
    {
      runner: "own pulumi",
      portOffset: freeOffset(17_300),
      settings: oneRun,
      runs: ["polars/taxi-report"],
      moments: atAnyTime,
    },
  ],
  [
    "the whole stack",
    {
      runner: "embedded",
      portOffset: freeOffset(17_200),
      settings: { ...small, matrix: "quick" },
      runs: ["taxi-report", "image-predictions", "image-embeddings"].flatMap(quickRuns),
      moments: [
        anyTime("nothing stands", 150),
        anyTime("another question is asked", 60),
        anyTime("the data are lost", 120),
      ],
    },
  ],
];

describe.each(cases)(
  `%s (seed ${seed})`,
  (title, { runner, portOffset, runs, moments, ...rest }) => {
    const test = title.includes("skipped") ? it.skip : it;
    const random = randomNumbers(title);
    const turns = fs.mkdtempSync("/tmp/ec-turns-");
    const environment = { ENGINE_COMPARISON_TURNS: turns };
    const stack =
      runner === "own pulumi"
        ? new OwnCliStack(portOffset, environment)
        : new TestStack(runner, portOffset, environment);
    const settings = { taxiRows: 20_000, photos: 24, fareAbove: 20, ...rest.settings, portOffset };
    // With the Pulumi CLI every other interrupt meets `pulumi up` (or destroy) and not who called it.
    let next = Math.floor(random() * ways.length);
    const wayOf = (n: number): Way =>
      runner === "pulumi" && n % 2 === 0 ? "kill -9 of pulumi" : ways[next++ % ways.length];
    const interrupts = moments
      .map((moment, n) => ({ moment, way: wayOf(n), place: random() }))
      .sort((a, b) => a.place - b.place)
      .slice(0, most)
      .map(({ moment, way }, n) => ({
        moment,
        way,
        name: `${n + 1}: ${way} ${moment.name}, when ${moment.after}${moment.takenBack ? " and taken back" : ""}`,
      }));

    const start = () => stack.beginStart(settings);

    afterAll(async () => {
      await stack.recover();
      if (fs.existsSync(stack.folder)) await stack.run("destroy");
      // After a failed test there may be some left.
      for (const pid of plugins(stack)) process.kill(pid, "SIGKILL");
      for (const folder of [stack.home, turns]) fs.rmSync(folder, { recursive: true, force: true });
    }, minutes(3));

    /** Makes the next command come to where a beginning leads. */
    async function begin(beginning: Beginning): Promise<void> {
      const standing = fs.existsSync(path.join(stack.folder, "owner.json"));
      if (beginning === "nothing stands") {
        if (standing) expect(await stack.run("destroy")).toMatchObject({ code: 0 });
        return;
      }
      if (!standing) expect(await start().finished).toMatchObject({ code: 0 });
      if (beginning === "the data are lost") {
        fs.rmSync(path.join(stack.folder, "minio", "data"), { recursive: true });
      }
      if (beginning === "other data are asked for") settings.taxiRows += 1_000;
      if (beginning === "another question is asked") settings.fareAbove += 1;
      if (beginning === "the services are dead") {
        const pid = fs.readFileSync(
          path.join(stack.folder, "supervisor", "supervisord.pid"),
          "utf8",
        );
        process.kill(Number(pid), "SIGKILL");
      }
    }

    /** Interrupts a command as a user or the system would, and waits for its end. */
    async function interrupt(way: Way, going: Begun): Promise<void> {
      const { child, finished } = going;
      const signal = (pid: number, name: NodeJS.Signals) => {
        try {
          process.kill(pid, name);
        } catch {
          // it has just ended
        }
      };
      if (way === "kill -9") signal(child.pid!, "SIGKILL");
      if (way === "kill -9 of the group") signal(-child.pid!, "SIGKILL");
      if (way === "kill -9 of pulumi") for (const pid of pulumiOf(stack)) signal(pid, "SIGKILL");
      if (way.startsWith("Ctrl-C")) signal(-child.pid!, "SIGINT");
      if (way === "Ctrl-C twice") {
        await new Promise((resolve) => setTimeout(resolve, 700));
        signal(-child.pid!, "SIGINT");
      }
      let ended = false;
      void finished.finally(() => (ended = true));
      await eventually(`the command ends after ${way}`, way === "Ctrl-C" ? 180 : 60, () => ended);
    }

    for (const { moment, way, name } of interrupts) {
      test(
        name,
        async () => {
          await begin(moment.after);
          const destroys = moment.after === "everything stands, and is destroyed";
          const going = destroys ? stack.begin("destroy") : start();
          const came = await comes(moment, stack, random, going.finished);
          if (came) await interrupt(way, going);
          else console.log(`missed: ${name}`);
          if (came && moment.takenBack) settings.fareAbove -= 1;
          await expect
            .poll(() => strays(stack), { timeout: 30_000, message: "what it started goes on" })
            .toEqual([]);
          await stack.recover();
          const up = await start().finished;
          expect(up.code, up.stdout + up.stderr).toBe(0);
          await expectTruth(stack, runs, settings);
        },
        minutes(15),
      );
    }

    test(
      "of two starts at once the second is refused and says who is at work",
      async () => {
        await begin("another question is asked");
        const first = start();
        await eventually("the first has the lock", 60, () =>
          fs
            .readdirSync(stack.home, { recursive: true, encoding: "utf8" })
            .some((name) => /^[^/]+\/(lock\.json$|(.+\/)?\.pulumi\/locks\/.+\.json$)/.test(name)),
        );
        const second = await start().finished;
        expect(second.code).toBeGreaterThan(0);
        expect(second.stdout + second.stderr).toMatch(/(in use by process|\(pid) \d+/);
        expect(await first.finished).toMatchObject({ code: 0 });
        await expectTruth(stack, runs, settings);
      },
      minutes(10),
    );

    test(
      "destroy leaves nothing",
      async () => {
        const destroy = await stack.run("destroy");
        expect(destroy.code, destroy.stdout + destroy.stderr).toBe(0);
        await expectNothing(stack);
      },
      minutes(2),
    );
  },
);
