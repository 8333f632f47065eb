/**
 * The verdict of `npm run compare` on samples that were really taken: of one contender against itself,
 * and against the same one with a tenth of its time wasted. Everything is taken in turn, so what else
 * the machine does hits all alike. Each run is made of some of the driver processes that were started
 * at about the same time. On a machine with other work, processes of the same code differ by more than
 * a tenth, and nobody could find one: then the second test is skipped, and says how much they differ.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { Host, Measured } from "../../bench/harness";
import { checkout } from "../../infra/host/folders";
import { judge } from "../../results/comparison";
import { readResult } from "../../results/outcome";
import type { RunResult } from "../../results/result";
import { median, type Forks } from "../../results/statistics";
import { lockedPython } from "../hosts";
import { minioBinary } from "../minioServer";

const minutes = (n: number) => n * 60_000;
/** Driver processes of each contender, and how many of them make a run. */
const [forks, ofRun] = [10, 3];
/**
 * How far half of the processes of the same code are from the others at most, as a share, on a machine
 * that is quiet: as far as those that tests/unit/report/verdict.test.ts makes up.
 */
const quiet = 0.017;

/** All ways to choose a run's driver processes. */
function choices(from = 0, left = ofRun): number[][] {
  if (left === 0) return [[]];
  const firsts = Array.from({ length: forks - from }, (_, at) => from + at);
  return firsts.flatMap((first) => choices(first + 1, left - 1).map((rest) => [first, ...rest]));
}

describe("the verdict on real samples", () => {
  const times = new Map<string, Forks>();

  beforeAll(async () => {
    const { stdout } = await promisify(execFile)(
      lockedPython(),
      ["-m", "take_turns", String(forks)],
      {
        cwd: checkout,
        env: {
          ...process.env,
          MINIO_BIN: await minioBinary(),
          PYTHONPATH: "pipelines:tests/python",
        },
        maxBuffer: 2 ** 26,
      },
    );
    const said = JSON.parse(stdout) as { contenders?: Measured[]; host: Host };
    for (const one of said.contenders ?? []) {
      const { measured } = readResult({ ...one, host: said.host } as unknown as RunResult);
      times.set(one.name, measured);
    }
    expect([...times.keys()], stdout).toEqual(["one", "other", "slowed"]);
    for (const [name, runs] of times) {
      console.log(name, runs.map((run) => median(run).toFixed(3)).join(" "));
    }
  }, minutes(15));

  /** In how many of a hundred choices of driver processes the verdict on a contender is this one. */
  function share(verdict: string, of: string): number {
    const side = (name: string, chosen: number[]) => chosen.map((at) => times.get(name)![at]);
    const all = choices();
    const found = all.filter(
      (chosen) => judge(side("one", chosen), side(of, chosen)).verdict === verdict,
    );
    return (100 * found.length) / all.length;
  }

  it("is within noise for the same code at least 95 times of 100", () => {
    expect(share("within noise", "other")).toBeGreaterThanOrEqual(95);
  });

  it("finds what was slowed by a tenth at least 80 times of 100", (test) => {
    const same = [...times.get("one")!, ...times.get("other")!].map(median);
    const spread = median(same.map((seconds) => Math.abs(seconds / median(same) - 1)));
    const found = share("slower", "slowed");
    console.log(`found ${found.toFixed(0)} times of 100; processes differ by ${spread.toFixed(3)}`);
    test.skip(spread > quiet, `the machine is not quiet: processes differ by ${spread.toFixed(3)}`);
    expect(found).toBeGreaterThanOrEqual(80);
  });
});
