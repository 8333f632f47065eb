import { expect, it } from "vitest";
import { benchmarks } from "../../../bench/benchmarks";
import { documentFile, withSection } from "../../../bench/render";
import { tableOf } from "../../../bench/render";
import * as fs from "node:fs";
import { contender, outcome } from "./outcome";

const origin = { command: "npm run bench", commit: "0123456789abcdef", dirty: false };
const tables = [
  tableOf(
    outcome([{ ...contender("a", [9, 4, 5, 6]), against: "b" }, contender("b", [3, 2, 2, 2])]),
  ),
];
const section = { name: "work", tables, notes: ["c is left out."], at: "2026-01-02T03:04:05Z" };

it("puts a benchmark's table between its marks, and leaves the rest", () => {
  const page = "before\n<!-- bench:work -->\nold\n<!-- /bench:work -->\nafter\n";
  const written = withSection(page, section, origin);
  expect(written.split("\n")).toEqual([
    "before",
    "<!-- bench:work -->",
    "",
    "**some work**",
    "",
    "|  | start-up | one-shot | steady | interval | times | CPU | peak memory | samples |",
    "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    "| a | 0.500 | 9.50 | 5.00 | [4.00, 6.00] | 2.50 [2.00, 3.00] of b | 2.00 | 1.00 GiB | 3 |",
    "| b | 0.500 | 3.50 | 2.00 | [2.00, 2.00] |  | 2.00 | 1.00 GiB | 3 |",
    "",
    expect.stringMatching(/^Seconds; one-shot: .* of one driver process, so that nothing is known/),
    "",
    "c is left out.",
    "",
    "*2026-01-02 03:04 UTC, `npm run bench` at commit 0123456789; a processor, 2 cores, 8.00 GiB, " +
      "Linux 6, a 1.2, b 1.2.*",
    "",
    "<!-- /bench:work -->",
    "after",
    "",
  ]);
  expect(withSection(written, section, origin)).toBe(written);
});

it("leaves a page alone that has no place for the benchmark", () => {
  expect(withSection("nothing here\n", section, origin)).toBe("nothing here\n");
});

it("tells shares where there is an amount of work", () => {
  const work = { amount: 10, unit: "images" };
  const [engine] = tables[0].rows.slice(1);
  const shares = tableOf({
    ...outcome((tables[0].data as ReturnType<typeof outcome>).contenders),
    work,
  });
  expect(engine[5]).toBe("2.50 [2.00, 3.00] of b");
  expect(shares.rows[0][5]).toBe("images/s");
  expect(shares.rows[1].slice(5, 7)).toEqual(["2.00", "40 % [33.3 %, 50 %] of b"]);
});

it("says what is to know about samples: still warming, disturbed, several processes", () => {
  const one = contender("a", [9, 4, 5, 6, 5]);
  const [first, ...hot] = one.samples;
  const forks = [...one.forks, { ...one.forks[0], state: "still warming" as const }];
  const last = { ...hot[3], fork: 2, totalSeconds: 50, disturbed: true };
  const { rows, legend } = tableOf(outcome([{ ...one, forks, samples: [first, ...hot, last] }]));
  expect(rows[1].at(-1)).toBe("5, still warming, 1 disturbed");
  expect(legend).toContain("of 2 driver processes");
});

it("compares driver processes of one round alone", () => {
  const twice = (seconds: number, fork: number) => {
    const { samples } = contender("b", [seconds, seconds, seconds, seconds]);
    return samples.map((sample) => ({ ...sample, fork }));
  };
  const b = contender("b", [2, 2, 2, 2]);
  const reference = {
    ...b,
    rounds: [0, 1],
    forks: [b.forks[0], b.forks[0]],
    samples: [...twice(2, 1), ...twice(4, 2)], // the machine was half as fast in the second
  };
  const a = { ...contender("a", [4, 4, 4, 4]), rounds: [1], against: "b" };
  const [, row] = tableOf(outcome([a, reference])).rows;
  expect(row[5]).toBe("1.00 [1.00, 1.00] of b");
});

it("the page has a place for every benchmark", () => {
  const page = fs.readFileSync(documentFile, "utf8");
  for (const { name } of benchmarks) {
    expect(page).toContain(`<!-- bench:${name} -->\n`);
    expect(page).toContain(`<!-- /bench:${name} -->\n`);
  }
});
