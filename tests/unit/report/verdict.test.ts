import { describe, expect, it } from "vitest";
import { comparisonLines, exitCode, onStack } from "../../../cli/verbs/compare";
import { parseHistory } from "../../../results/history";
import { compare, judge, select } from "../../../results/comparison";
import { random } from "../../../results/statistics";
import { failedLine, resultLine, type ResultLine } from "./lines";

/** Times of a run of 1 s: processes that differ by 2 %, and samples that differ by 3 %. */
function measured(seed: number, forks: number, factor = 1): number[][] {
  const next = random(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return Array.from({ length: forks }, () => {
    const process = factor * (1 + 0.02 * normal());
    return Array.from({ length: 6 }, () => process * (1 + 0.03 * normal()));
  });
}

/** How often of 100 times the verdict of two runs is this one. */
function times(verdict: string, forks: number, factor: number): number {
  return Array.from({ length: 100 }, (_, at) => at).filter(
    (at) => judge(measured(2 * at, forks), measured(2 * at + 1, forks, factor)).verdict === verdict,
  ).length;
}

describe("the verdict", () => {
  it("of a run against itself is within noise at least 95 times of 100", () => {
    expect(times("within noise", 3, 1)).toBeGreaterThanOrEqual(95);
  });

  it("finds a run that is 10 % slower, or faster, at least 80 times of 100", () => {
    expect(times("slower", 3, 1.1)).toBeGreaterThanOrEqual(80);
    expect(times("faster", 3, 1 / 1.1)).toBeGreaterThanOrEqual(80);
  });

  it("of one process, which is the default, asks for more", () => {
    expect(times("within noise", 1, 1)).toBeGreaterThanOrEqual(95);
    expect(times("slower", 1, 1.2)).toBeGreaterThanOrEqual(80);
  });

  it.each([
    ["faster", [2, 2.1, 2.2, 2, 2.1], [1.5, 1.6, 1.7, 1.5, 1.6]],
    ["slower", [1.5, 1.6, 1.7, 1.6, 1.5], [2, 2.1, 2.2, 2.1, 2]],
    ["within noise", [2, 2.1, 2.2], [1.5, 1.9, 2.05]], // the ranges overlap
    ["within noise", [2, 2.01, 2.02, 2.01, 2], [1.95, 1.96, 1.97, 1.96, 1.95]], // below 5 %
  ] as const)("is %s for %j against %j", (verdict, a, b) => {
    expect(judge([a], [b]).verdict).toBe(verdict);
  });
});

const spark = "spark/taxi-report";

/** A comparison of the attempts `A` and `B` in a history of the lines given. */
function compared(...lines: readonly string[]) {
  const { attempts } = parseHistory(lines.join("\n"));
  return compare(select(attempts, "20260101T000000Z-a"), select(attempts, "20260102T000000Z-b"));
}

const before = (line: ResultLine = {}, run = spark) =>
  resultLine(run, { ...line, attempt: "20260101T000000Z-a" });
const after = (line: ResultLine = {}, run = spark) =>
  resultLine(run, { ...line, attempt: "20260102T000000Z-b" });

describe("a comparison", () => {
  const quick = [1, 1.1, 1.2, 1.1, 1];
  const slow = [2, 2.1, 2.2, 2.1, 2];
  const oneProcess = expect.stringContaining("nothing is known of the spread") as string;

  it("of two attempts says how they compare, and what is not known of one process", () => {
    const lines = compared(before({ times: slow }), after({ times: quick }));
    expect(lines[0]).toMatchObject({ run: spark, verdict: "faster", marks: [oneProcess] });
    expect(lines[0].ratio?.value).toBeCloseTo(1.1 / 2.1);
    expect(exitCode(lines)).toBe(0);
    expect(exitCode(compared(before({ times: quick }), after({ times: slow })))).toBe(1);
  });

  it.each<[string, ResultLine, ResultLine, string, string]>([
    [
      "another host",
      {},
      { result: { host: { cpu: "other", cores: 64 } } },
      "they are of two hosts; measure B on A's",
      "npm run rerun -- spark/taxi-report",
    ],
    [
      "other inputs",
      {},
      { inputs: { fareAbove: "40" } },
      "fareAbove 30 -> 40",
      "npm start -- --config fareAbove=30",
    ],
    [
      "a number of samples that was fixed",
      {},
      { result: { forks: [{ startUpSeconds: 1, state: "fixed", slope: 0 }] } },
      "hot samples until they are steady against a fixed number of hot samples",
      "npm start -- --config repeats= --config warmup=",
    ],
    [
      "other cores",
      { inputs: { cores: "2" } },
      { inputs: { cores: "4" } },
      "cores 2 -> 4",
      "npm start -- --config sparkExecutors=1 --config sparkWorkerCores=2",
    ],
    [
      "another store",
      { inputs: { store: "3" } },
      { inputs: { store: "s3 1" } },
      "store 3 -> s3 1",
      "npm start -- --config objectStore=minio",
    ],
    [
      "other data",
      {},
      { inputs: { data: "0123456789abcdef" }, result: { rowsIn: 60_000 } },
      "data of 1200000 -> 60000 rows",
      "npm start -- --config taxiRows=1200000",
    ],
    [
      "an input more",
      {},
      { inputs: { batchSize: "8" } },
      "batchSize - -> 8",
      "npm run rerun -- spark/taxi-report",
    ],
    [
      "another device",
      {},
      { result: { device: "cuda" } },
      "device cpu -> cuda",
      "npm start -- --config gpu=off",
    ],
    [
      "no hot samples",
      {},
      { hot: 0 },
      "hot samples until they are steady against first samples",
      "npm start -- --config repeats= --config warmup=",
    ],
    [
      "too few samples",
      { times: [1, 1] },
      {},
      "attempt 20260101T000000Z-a has fewer than 3 hot samples",
      "npm start -- --config repeats= --config warmup=",
    ],
    [
      "a run that was still warming",
      {},
      { result: { forks: [{ startUpSeconds: 1, state: "still warming", slope: -0.1 }] } },
      "attempt 20260102T000000Z-b was still warming",
      "npm start -- --config measureSeconds=60",
    ],
  ])("has no verdict with %s, and names the command for it", (_what, a, b, what, command) => {
    const lines = compared(before(a), after(b));
    expect(lines[0]).toMatchObject({ missing: { what, command } });
    expect(lines[0].verdict).toBeUndefined();
    expect(exitCode(lines)).toBe(3);
    expect(comparisonLines(lines).join("\n")).toContain(`! ${what}; to compare: ${command}`);
  });

  it("has a command for the stack that the attempts are of", () => {
    const [line] = compared(before(), after({ inputs: { batchSize: "8" } }));
    const command = "npm run rerun -- spark/taxi-report";
    expect(onStack("two", line).missing!.command).toBe(`${command} --stack two`);
    expect(onStack("local", line).missing!.command).toBe(command);
  });

  it.each<[string, ResultLine, string]>([
    ["other code", { inputs: { engineCode: "ff" } }, "other code (engineCode)"],
    ["another commit", { commit: "f".repeat(40) }, "another commit, same run code"],
    ["a changed checkout", { result: { code: { commit: null, dirty: true } } }, "another commit"],
    ["another number of samples", { inputs: { maxSamples: "9" } }, "maxSamples 60 -> 9"],
    ["a store that was made anew", { inputs: { store: "2" } }, "store 1 -> 2"],
  ])("marks %s", (_what, b, mark) => {
    const [{ marks, verdict }] = compared(before(), after(b));
    expect(verdict).toBeDefined();
    expect(marks.join("\n")).toContain(mark);
  });

  it("marks samples during which others used the machine", () => {
    const sample = { kind: "hot", fork: 1, totalSeconds: 1, disturbed: true };
    const samples = [sample, sample, sample];
    const [{ marks }] = compared(before(), after({ result: { samples } }));
    expect(marks).toContain("disturbed by others");
  });

  it("has no verdict about a failure, and shows it", () => {
    const wrong = { attempt: "20260102T000000Z-b", status: "wrong" };
    const lines = compared(before(), failedLine(spark, wrong));
    expect(lines[0]).toMatchObject({
      run: spark,
      missing: { what: "attempt 20260102T000000Z-b is not verified (wrong)" },
    });
    expect(comparisonLines(lines)[1]).toMatch(/wrong.*not comparable.*\| wrong$/);
  });

  it("of attempts of two engines names both", () => {
    const own = { inputs: { daftRunner: "native" } }; // no other contender has it
    const [line] = compared(before(), after(own, "daft/taxi-report"));
    expect(line.run).toBe("spark/taxi-report -> daft/taxi-report");
    expect(line.verdict).toBe("faster");
  });

  it("of two workloads has no verdict", () => {
    const [{ missing }] = compared(before(), after({}, "spark/image-predictions"));
    expect(missing?.what).toBe("taxi-report is another workload than image-predictions");
  });

  it("of two days has a line for every run of either", () => {
    const day = (date: string, run: string) =>
      resultLine(run, { attempt: `${date}-${run}`, startedAt: `${date}T10:00:00+00:00` });
    const { attempts } = parseHistory(
      [
        day("2026-01-01", spark),
        day("2026-01-01", "ray/taxi-report"),
        day("2026-01-02", spark),
        day("2026-01-02", "daft/taxi-report"),
      ].join("\n"),
    );
    const lines = compare(select(attempts, "2026-01-01"), select(attempts, "2026-01-02"));
    expect(lines.map(({ run }) => run)).toEqual([
      "daft/taxi-report",
      "ray/taxi-report",
      "spark/taxi-report",
    ]);
    expect(comparisonLines(lines).join("\n")).toContain("no attempt");
  });

  it("states its rule", () => {
    expect(comparisonLines(compared(before(), after())).join(" ")).toContain(
      "resampled over driver processes first",
    );
  });
});
