import { describe, expect, it } from "vitest";
import { resultLines } from "../../../cli/verbs/results";
import { parseHistory } from "../../../results/history";
import { failedLine, resultLine } from "./lines";

describe("the list of results", () => {
  it("has one line an attempt, failures with their reason", () => {
    const { attempts } = parseHistory(
      [
        resultLine("spark/taxi-report", { attempt: "1", times: [1.5, 1.6, 1.75], commit: "abc" }),
        failedLine("ray/image-predictions", { reason: "\u001b[31mno\u001b[0m memory\nat all" }),
      ].join("\n"),
    );
    const [head, first, second] = resultLines(attempts);
    expect(head.split(/ {2,}/)).toEqual([
      "date (UTC)",
      "run",
      "key",
      "status",
      "one-shot",
      "median",
      "samples",
      "device",
      "commit",
      "attempt",
    ]);
    expect(first).toMatch(/^2026-11-22 21:53 {2}spark\/taxi-report .*verified +22\.0 s +1\.60 s/);
    expect(first).toMatch(/3 hot, 1\.50 to 1\.75 s +cpu +abc +1$/);
    expect(second).toMatch(/failed +- +- {2}no memory +- +- +20261122T120000Z-cccccc$/);
  });

  it("tells how many samples others disturbed", () => {
    const { samples, ...rest } = JSON.parse(
      resultLine("spark/taxi-report", { attempt: "1", times: [1.5, 1.6] }),
    ) as { samples: object[] };
    const last = samples.length - 1;
    const marked = samples.map((sample, at) => ({ ...sample, disturbed: at === last }));
    const { attempts } = parseHistory(JSON.stringify({ ...rest, samples: marked }));
    expect(resultLines(attempts)[1]).toContain("2 hot, 1.50 to 1.60 s, 1 disturbed");
  });
});
