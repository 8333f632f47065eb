import { describe, expect, it } from "vitest";
import { previewLines } from "../../../cli/verbs/preview";

const update = (path: string, old: unknown = "30", now: unknown = "40") =>
  ({ path, kind: "update", old, new: now }) as const;
type Diff = ReturnType<typeof update>[];

const step = (op: "create" | "update" | "replace", name: string, diff: Diff) => ({
  ...{ op, urn: "u", name, diff },
});
const lines = (...steps: ReturnType<typeof step>[]) => previewLines(steps, true);

const run = step("replace", "spark/taxi-report", [
  update("environment.SPEC.inputs.fareAbove"),
  update("environment.SPEC.key", "0123456789abcdef", "fedcba9876543210"),
  update("environment.SPEC.limits.cores", 1, 2),
  update("triggers[0].fareAbove"),
]);
const minio = step("update", "minio", [
  update("environment.SPEC.generation", "1", "2, after it stopped"),
  update("environment.SPEC.supervisor", "1.abc", "2, after it stopped.abc"),
]);

describe("a preview names", () => {
  it("what of a run's key has changed", () => {
    expect(previewLines([run], false)).toEqual(["+- replace spark/taxi-report  (fareAbove)"]);
  });

  it("what has changed about a service", () => {
    const ports = step("update", "minio", [update("environment.SPEC.ports.api")]);
    expect(previewLines([ports, minio], false)).toEqual([
      "~  update  minio  (api)",
      "~  update  minio  (stopped)",
    ]);
    const made = step("create", "minio", []);
    expect(previewLines([made], false)).toEqual(["+  create  minio"]);
  });
});

describe("with --diff a step shows", () => {
  it("the changed setting once, and nothing that follows from it", () => {
    expect(lines(run)).toEqual(["+- replace spark/taxi-report", '      ~ fareAbove: "30" => "40"']);
    const made = step("update", "taxi-files", [
      update("environment.SPEC.settings.taxiRows", 1, 2),
      update("environment.SPEC.version", "0123456789abcdef", "fedcba9876543210"),
    ]);
    expect(lines(made)).toEqual(["~  update  taxi-files", "      ~ settings.taxiRows: 1 => 2"]);
  });

  it("that code or data changed, without hashes", () => {
    const [was, is] = ["0123456789abcdef", "fedcba9876543210"];
    const diff = [update("triggers[0].engineCode", was, is), update("triggers[0].data", was, is)];
    expect(lines(step("replace", "ray/taxi-report", diff))).toEqual([
      "+- replace ray/taxi-report",
      "      ~ engineCode",
      "      ~ data",
    ]);
    expect(
      lines(step("update", "taxi-files", [update("environment.SPEC.version", was, is)])),
    ).toEqual(["~  update  taxi-files", "      ~ version"]);
  });

  it("that a service stopped, and not the number of its generation", () => {
    expect(lines(minio)).toEqual(["~  update  minio", "      ~ stopped"]);
    const container = step("replace", "ray-head", [
      update("labels[2].value", "2, after it stopped", "3, after it stopped"),
    ]);
    expect(lines(container)).toEqual(["+- replace ray-head", "      ~ stopped"]);
    const bucket = step("update", "buckets-lake", [
      update("environment.SPEC.store", "1", "2, after it was lost"),
    ]);
    expect(lines(bucket)).toEqual(["~  update  buckets-lake", "      ~ store was lost"]);
  });

  it("a number that rose for another reason", () => {
    const diff = [update("environment.SPEC.credentials", 1, 2)];
    expect(lines(step("update", "minio", diff))).toEqual([
      "~  update  minio",
      "      ~ credentials: 1 => 2",
    ]);
  });

  it("of what only follows from other steps that it does", () => {
    const report = step("update", "report-page", [update("environment.SPEC", "{}", "[unknown]")]);
    expect(lines(report)).toEqual(["~  update  report-page", "      ~ what it depends on"]);
  });
});
