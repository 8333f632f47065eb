import { describe, expect, it } from "vitest";
import { explainRun, explanationLines } from "../../../cli/verbs/explain";
import { runKey } from "../../../results/result";
import { parseHistory } from "../../../results/history";
import { failedLine, resultLine } from "./lines";

const run = "spark/taxi-report";
const { attempts } = parseHistory(
  [
    resultLine(run, { attempt: "1", inputs: { fareAbove: "20" } }),
    resultLine(run, { attempt: "2" }),
    resultLine("daft/taxi-report", { attempt: "3" }),
  ].join("\n"),
);
const recorded = attempts[1].inputs!;
const command = "npm run rerun -- spark/taxi-report";
const toDo = (deployed: boolean, others: readonly string[] = []) => ({ command, others, deployed });

describe("an explanation", () => {
  it("has the key and every input with its last recorded and its present value", () => {
    const { store: _gone, ...rest } = recorded;
    const now = { ...rest, fareAbove: "40", retries: "auto" };
    const explanation = explainRun(run, now, attempts);
    expect(explanation.key).toBe(runKey(now));
    expect(explanation.recorded?.attempt).toBe("2");
    expect(explanation.changed).toEqual([
      { name: "fareAbove", old: "30", now: "40" },
      { name: "retries", old: undefined, now: "auto" },
      { name: "store", old: "1", now: undefined },
    ]);
    const lines = explanationLines({ ...explanation, ...toDo(false, ["daft/taxi-report"]) });
    expect(lines.filter((line) => / (changed|new|gone)$/.test(line))).toEqual([
      expect.stringMatching(/^fareAbove +30 +40 +changed$/),
      expect.stringMatching(/^retries +- +auto +new$/),
      expect.stringMatching(/^store +1 +- +gone$/),
    ]);
    expect(lines).toContain("npm start repeats it, because of fareAbove, retries, store");
    expect(lines).toContain(`to repeat this run alone: ${command}`);
    expect(lines.at(-1)).toContain("daft/taxi-report");
  });

  it("says that nothing has changed", () => {
    const explanation = explainRun(run, recorded, attempts);
    expect(explanation.changed).toEqual([]);
    expect(explanationLines({ ...explanation, ...toDo(true) })).toContain(
      "nothing has changed: npm start does not repeat it",
    );
    expect(explanationLines({ ...explanation, ...toDo(false) })).toContain(
      "nothing has changed, but no result of it is deployed: npm start repeats it",
    );
  });

  it("tells of a failure since, and compares with the last result", () => {
    const since = parseHistory(failedLine(run, { reason: "no memory" })).attempts;
    const explanation = explainRun(run, recorded, [...attempts, ...since]);
    expect(explanation.recorded?.attempt).toBe("2");
    expect(explanationLines({ ...explanation, ...toDo(false) })).toContain(
      "the last attempt: failed: no memory",
    );
  });

  it("works for a run that has never come to a result", () => {
    const explanation = explainRun("ray/taxi-report", recorded, attempts);
    expect(explanation.recorded).toBeUndefined();
    expect(explanation.changed.length).toBe(Object.keys(recorded).length);
    expect(explanationLines({ ...explanation, ...toDo(false) })).toContain("npm start runs it");
  });
});
