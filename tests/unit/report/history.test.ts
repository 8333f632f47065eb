import { describe, expect, it } from "vitest";
import { leftOut, parseHistory } from "../../../results/history";
import { schemaVersion } from "../../../results/result";
import { failedLine, resultLine } from "./lines";

describe("the history", () => {
  it("has results and failures in the order in which they ended", () => {
    const text = [
      resultLine("spark/taxi-report", { attempt: "20261122T100000Z-aaaaaa" }),
      failedLine("ray/image-predictions", { attempt: "20261122T110000Z-bbbbbb", reason: "boom" }),
    ].join("\n");
    const { attempts, unreadable } = parseHistory(`${text}\n`);
    expect(unreadable).toBe(0);
    expect(attempts.map(({ run, status }) => `${run} ${status}`)).toEqual([
      "spark/taxi-report verified",
      "ray/image-predictions failed",
    ]);
    expect(attempts[0].inputs).toMatchObject({ fareAbove: "30" });
  });

  it.each(["{", "null", "[]", "{}", `{"engine":"a","workload":"b","key":"c","attempt":"d"}`])(
    "leaves out a line that cannot be read: %s",
    (line) => {
      const { attempts, unreadable } = parseHistory(
        [resultLine("spark/taxi-report", {}), line, "", failedLine("a/b", {})].join("\n"),
      );
      expect(attempts.length).toBe(2);
      expect(unreadable).toBe(1);
    },
  );

  it("may be empty", () => {
    expect(parseHistory("")).toEqual({ attempts: [], unreadable: 0, otherSchemas: [] });
  });

  it("names the results of other schemas and leaves them out", () => {
    const line = (attempt: string, schema?: number) =>
      JSON.stringify({ ...JSON.parse(resultLine("spark/taxi-report", { attempt })), schema });
    const history = parseHistory(
      [line("old"), line("now", schemaVersion), line("new", 99)].join("\n"),
    );
    expect(history.attempts.map(({ attempt }) => attempt)).toEqual(["now"]);
    expect(history).toMatchObject({ unreadable: 0, otherSchemas: ["old", "new"] });
    expect(leftOut("s", history)).toEqual([
      expect.stringMatching(/^2 results of .* \(old, new\) are of another schema than 2/),
    ]);
  });
});
