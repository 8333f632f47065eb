import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { startOfLast } from "../../../cli/terminal/tail";
import { runLogs } from "../../../cli/verbs/logs";
import { freshHome } from "./home";

const home = freshHome();

it("a run's log is that of its newest attempt; services' logs are not runs'", () => {
  for (const name of ["20260101T1-a", "20260102T1-b"]) {
    const file = path.join(home(), "spark", "taxi-report", `${name}.log`);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, "");
  }
  fs.writeFileSync(path.join(home(), "minio.log"), "");
  const newest = path.join(home(), "spark", "taxi-report", "20260102T1-b.log");
  expect([...runLogs(home())]).toEqual([["spark/taxi-report", { file: newest }]]);
  expect(runLogs(path.join(home(), "none")).size).toBe(0);
});

it.each([
  ["a\nb\nc\n", 2, "b\nc\n"],
  ["a\nb\nc", 2, "b\nc"],
  ["a\nb\n", 5, "a\nb\n"],
  ["a\n", 0, ""],
  ["", 3, ""],
])("of %j the last %d lines are %j", (text, lines, last) => {
  const file = path.join(home(), "log");
  fs.writeFileSync(file, text);
  expect(text.slice(startOfLast(file, lines))).toBe(last);
});

it("the last lines are found in a log of many blocks", () => {
  const file = path.join(home(), "log");
  const line = `${"x".repeat(99)}\n`;
  fs.writeFileSync(file, line.repeat(2_000));
  expect(startOfLast(file, 1_500)).toBe(500 * line.length);
});
