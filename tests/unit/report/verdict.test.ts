import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { comparisonLines } from "../../../cli/verbs/compare";
import { parseHistory } from "../../../results/history";
import { select } from "../../../results/comparison";
import { compare, judge } from "../../../results/comparison";
import { failedLine, resultLine, type ResultLine } from "./lines";

describe("the verdict", () => {
  it.each([
    ["faster", [2, 2.1, 2.2], [1.5, 1.6, 1.7]],
    ["slower", [1.5, 1.6, 1.7], [2, 2.1, 2.2]],
    ["within noise", [2, 2.1, 2.2], [1.5, 1.9, 2.05]],
    ["within noise", [2, 2.01, 2.02], [1.95, 1.96, 1.97]],
    ["within noise", [1], [1.01]],
    ["too few samples", [1], [2]],
    ["too few samples", [1, 1.1, 1.2], [2]],
    ["faster", [2, 2.1, 2.2, 2.3], [1.5, 1.6, 1.7, 1.8]],
    ["faster", [2, 2.1, 2.2, 2.3, 2.4, 1.9], [1.5, 1.6, 1.7, 1.8, 1.55, 1.95]],
    ["within noise", [1, 1.1, 2.2, 2.3, 2.4, 1.9], [1.5, 1.6, 1.7, 1.8, 1.55, 1.95]],
  ] as const)("is %s for %j against %j", (verdict, a, b) => {
    expect(judge(a, b)).toBe(verdict);
  });

  it("turns round when the sides are changed, and does not depend on the unit", () => {
    const times = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 8 });
    const opposite = { faster: "slower", slower: "faster" } as Record<string, string>;
    fc.assert(
      fc.property(times, times, (a, b) => {
        const verdict = judge(a, b);
        expect(judge(b, a)).toBe(opposite[verdict] ?? verdict);
        expect(
          judge(
            a.map((one) => one / 8),
            b.map((one) => one / 8),
          ),
        ).toBe(verdict);
        expect(judge(a, a)).toBe("within noise");
      }),
      { numRuns: 60 },
    );
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
  it("of two attempts says how they compare, without a mark where nothing else differs", () => {
    const [line] = compared(before({ times: [2, 2.1, 2.2] }), after({ times: [1, 1.1, 1.2] }));
    expect(line).toMatchObject({ run: spark, verdict: "faster", marks: [] });
    expect(line.ratio).toBeCloseTo(1.1 / 2.1);
  });

  it.each<[string, ResultLine, ResultLine, string]>([
    ["another host", {}, { result: { host: { cpu: "other", cores: 64 } } }, "another host"],
    ["other inputs", {}, { inputs: { fareAbove: "40" } }, "fareAbove 30 -> 40"],
    ["an input more", {}, { inputs: { retries: "auto" } }, "retries - -> auto"],
    ["other code", {}, { inputs: { engineCode: "ff" } }, "other code (engineCode)"],
    ["another commit", {}, { commit: "f".repeat(40) }, "another commit, same run code"],
    [
      "a changed checkout",
      {},
      { result: { code: { commit: null, dirty: true } } },
      "another commit",
    ],
    ["another device", {}, { result: { device: "cuda" } }, "device cpu -> cuda"],
    ["no hot samples", {}, { hot: 0 }, "first samples against hot ones"],
  ])("marks %s", (_what, a, b, mark) => {
    const [{ marks }] = compared(before(a), after(b));
    expect(marks.join("\n")).toContain(mark);
  });

  it("marks samples during which others used the machine", () => {
    const samples = [{ kind: "hot", totalSeconds: 1, othersCpuSeconds: 1.5 }];
    const [{ marks }] = compared(before(), after({ result: { samples } }));
    expect(marks).toEqual(["disturbed by others"]);
  });

  it("has no verdict about a failure, and shows it", () => {
    const lines = compared(before(), failedLine(spark, { attempt: "20260102T000000Z-b" }));
    expect(lines[0]).toMatchObject({ run: spark, marks: [] });
    expect(lines[0].verdict).toBeUndefined();
    expect(comparisonLines(lines)[1]).toMatch(/failed.*cannot be compared.*\| failed$/);
  });

  it("of attempts of two engines names both", () => {
    const [line] = compared(before(), after({}, "daft/taxi-report"));
    expect(line.run).toBe("spark/taxi-report -> daft/taxi-report");
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
    expect(comparisonLines(compared(before(), after())).join(" ")).toContain("Mann-Whitney");
  });
});
