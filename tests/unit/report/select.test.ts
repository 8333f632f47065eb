import { describe, expect, it } from "vitest";
import { UserError } from "../../../infra/contracts/errors";
import { parseHistory } from "../../../results/history";
import { select } from "../../../results/comparison";
import { failedLine, resultLine } from "./lines";

const spark = "spark/taxi-report";
const daft = "daft/image-embeddings";
const { attempts } = parseHistory(
  [
    resultLine(spark, {
      attempt: "20261121T100000Z-aaaaaa",
      startedAt: "2026-11-21T10:00:00+00:00",
      commit: "1111aaaa" + "0".repeat(32),
    }),
    resultLine(daft, {
      attempt: "20261121T100500Z-bbbbbb",
      startedAt: "2026-11-21T10:05:00+00:00",
      commit: "1111aaaa" + "0".repeat(32),
    }),
    resultLine(spark, {
      attempt: "20261122T090000Z-cccccc",
      startedAt: "2026-11-22T09:00:00+00:00",
      commit: "1111bbbb" + "0".repeat(32),
    }),
    resultLine(spark, {
      attempt: "20261122T093000Z-dddddd",
      startedAt: "2026-11-22T09:30:00+00:00",
      commit: "20261122" + "0".repeat(32),
    }),
    failedLine(daft, { attempt: "20261122T094000Z-eeeeee", at: "2026-11-22T09:41:00.000Z" }),
  ].join("\n"),
);

const meant = (text: string) =>
  [...select(attempts, text).byRun].map(([run, { attempt }]) => `${run} ${attempt.slice(-6)}`);

describe("what is compared", () => {
  it.each([
    ["20261121T100000Z-aaaaaa", [`${spark} aaaaaa`]],
    ["20261121T1005", [`${daft} bbbbbb`]],
    ["2026-11-21", [`${spark} aaaaaa`, `${daft} bbbbbb`]],
    ["20261121", [`${spark} aaaaaa`, `${daft} bbbbbb`]],
    ["2026-11-22", [`${spark} dddddd`, `${daft} eeeeee`]],
    ["2026-11-22T09:00", [`${spark} cccccc`]],
    ["2026-11-22 09", [`${spark} dddddd`, `${daft} eeeeee`]],
    ["1111aaaa", [`${spark} aaaaaa`, `${daft} bbbbbb`]],
    ["1111bbbb0000", [`${spark} cccccc`]],
  ])("by %s is the last attempt of each run that it means", (text, runs) => {
    expect(meant(text).sort()).toEqual(runs.sort());
  });

  it.each([
    ["1111", ["2 commits", "1111aaaa", "1111bbbb"]],
    [
      "20261122T09",
      ["3 attempts", "20261122T090000Z-cccccc (spark/taxi-report", "dddddd", "eeeeee"],
    ],
    ["20261122", ["a date and of a commit"]],
    ["ffff", ["no attempt, date or commit", "npm run results", "20261122T094000Z-eeeeee"]],
    ["yesterday", ["no attempt, date or commit"]],
    ["2026-12-24", ["no attempt, date or commit"]],
    ["", ["no attempt, date or commit"]],
  ])("by %j is refused, with the candidates", (text, told) => {
    let message = "";
    try {
      select(attempts, text);
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      message = (error as UserError).message;
    }
    for (const part of told) expect(message).toContain(part);
  });

  it("is refused where the history is empty", () => {
    expect(() => select([], "2026-11-22")).toThrow("run npm start first");
  });
});
