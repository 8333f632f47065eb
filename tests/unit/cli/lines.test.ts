import { describe, expect, it } from "vitest";
import {
  changesLine,
  diffLine,
  failureLines,
  planLine,
  reasonLines,
  runWords,
  seconds,
  stepLines,
  withoutCommand,
} from "../../../cli/terminal/lines";
import type { StepEvent } from "../../../cli/runners/runner";
import type { RunFailure, RunRecord, RunSummary } from "../../../results/result";

const command = { urn: "urn", type: "command:local:Command", name: "minio" };
const verified: RunSummary = {
  key: "k1",
  status: "verified",
  verified: true,
  device: "cpu",
  outputUri: "s3://warehouse/report/",
  rows: 1,
  rejected: 2,
  checksum: "c",
  oneShotSeconds: 9.1,
  medianSeconds: 3.214,
  state: "still warming",
  samples: [4, 3.214],
};
const failed: RunFailure = {
  key: "k2",
  status: "failed",
  verified: false,
  attempt: "a",
  reason: "no executor came\nmore",
  log: "/logs/a.log",
  published: "k1",
};
const record = { summary: verified } as RunRecord;

describe("the lines of a step", () => {
  it.each<[StepEvent, string[]]>([
    [{ kind: "start", op: "create", ...command }, []],
    [{ kind: "done", op: "create", ...command, seconds: 2.04 }, ["created  minio  2.0 s"]],
    [{ kind: "done", op: "same", ...command }, []],
    [{ kind: "done", op: "delete-replaced", ...command }, []],
    [
      { kind: "skipped", op: "create", ...command, error: "needs network" },
      ["skipped  minio  needs network"],
    ],
  ])("%j", (event, lines) => {
    expect(stepLines(event)).toEqual(lines);
  });

  it.each(["pulumi:pulumi:Stack", "pulumi:providers:command", "engine-comparison:pipelines:Run"])(
    "are none for %s",
    (type) => {
      expect(stepLines({ kind: "done", op: "create", ...command, type })).toEqual([]);
    },
  );

  it("say of a run what it measured, and not how long it waited for its turn", () => {
    const event = { kind: "done", op: "replace", ...command, seconds: 300 } as const;
    expect(stepLines(event, record)).toEqual([
      "replaced minio  verified, one-shot 9.10 s, median 3.21 s (still warming), 1 row, 2 rejected, on cpu",
    ]);
    expect(stepLines({ ...event, op: "delete" }, record)).toEqual(["deleted  minio  5 m 0 s"]);
  });

  it("of a failure are what the script said", () => {
    const error = 'exit status 1: running "exec node x create":\nport 1 is taken\n  why: so';
    expect(stepLines({ kind: "failed", op: "create", ...command, seconds: 1, error })).toEqual([
      "FAILED   minio  1.0 s",
      "         port 1 is taken",
      "           why: so",
    ]);
  });

  it("tell the command line where a failed script said nothing", () => {
    expect(reasonLines('signal: killed: running "x":\n')).toEqual([
      '         signal: killed: running "x":',
    ]);
    expect(reasonLines("")).toEqual([]);
  });

  it("leave out the command line where its script said more", () => {
    const error = 'minio: exit status 1: running "x":\nit is broken\n  do:  mend it';
    expect(withoutCommand(error)).toBe("minio: it is broken\n  do:  mend it");
    expect(withoutCommand("a: exit status 1: running x")).toBe("a: exit status 1: running x");
  });

  it("pass on messages of the program, but not the output of commands", () => {
    const log = { kind: "log", message: "first\nsecond" } as const;
    expect(stepLines({ ...log, severity: "warning" })).toEqual(["warning: first", "second"]);
    expect(stepLines({ ...log, severity: "info" })).toEqual(["first", "second"]);
  });
});

it("a run's outcome fits on a line, and a failure has a place to read on", () => {
  expect(runWords(undefined)).toBe("never ran");
  expect(runWords(failed)).toBe("failed: no executor came");
  expect(failureLines(failed)).toEqual(["log: /logs/a.log", "still published: run k1"]);
  expect(failureLines({ ...failed, published: null })[1]).toBe("nothing is published");
});

it.each([
  [0.04, "0.0 s"],
  [59.4, "59.4 s"],
  [59.97, "1 m 0 s"],
  [119.6, "2 m 0 s"],
])("%d seconds are %s", (value, text) => {
  expect(seconds(value)).toBe(text);
});

it("counts of changes leave out the runner's own business", () => {
  const changes = { create: 3, replace: 1, "delete-replaced": 1, same: 40 };
  expect(changesLine(changes)).toBe("3 created, 1 replaced, 40 unchanged");
  expect(planLine(changes)).toBe("3 to create, 1 to replace, 40 unchanged");
  expect(changesLine({})).toBe("nothing was done");
  expect(planLine({})).toBe("nothing to do");
});

it("a changed input is told with both values, shortened", () => {
  const path = "triggers[0].fareAbove";
  expect(diffLine({ path, kind: "update", old: "30", new: "40" })).toBe(`~ ${path}: "30" => "40"`);
  expect(diffLine({ path, kind: "add", new: 1 })).toBe(`+ ${path}: 1`);
  expect(diffLine({ path, kind: "delete", old: [1] })).toBe(`- ${path}: [1]`);
  expect(diffLine({ path, kind: "add", new: "x".repeat(900) }).length).toBeLessThan(250);
});
