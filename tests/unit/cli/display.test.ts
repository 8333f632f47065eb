import { describe, expect, it } from "vitest";
import { Display } from "../../../cli/display";
import type { RunProgress } from "../../../pipelines/records";

const runs = ["spark/taxi-report", "ray/image-predictions"];

/** A display on a screen that remembers, at a time that is set by hand. */
function setUp(isTTY: boolean) {
  const state = { at: 0, text: "", progress: new Map<string, RunProgress>() };
  const display = new Display({
    screen: { isTTY, columns: 60, write: (text: string) => (state.text += text) },
    runs,
    progressOf: (run) => state.progress.get(run),
    recordOf: () => undefined,
    now: () => state.at,
  });
  const phase = (run: string, words: string) =>
    state.progress.set(run, { phase: words, since: new Date(state.at).toISOString() });
  const take = (kind: "start" | "done", name: string, type = "command:local:Command") =>
    display.take({ kind, op: "create", urn: name, type, name });
  return { state, display, phase, take };
}

describe("without a terminal", () => {
  it("writes whole lines and nothing that moves the cursor", () => {
    const { state, display, take } = setUp(false);
    take("start", "minio");
    take("done", "minio");
    display.poll();
    display.end();
    expect(state.text).toBe("created  minio\n");
  });

  it("tells each phase of a run once, which of how many it is, and not that it waits", () => {
    const { state, display, phase, take } = setUp(false);
    for (const run of runs) {
      take("done", run, "engine-comparison:pipelines:Run"); // the component of the same name
      take("start", run);
    }
    phase(runs[0], "start-up");
    phase(runs[1], "waiting for its turn");
    display.poll();
    display.poll();
    phase(runs[0], "sample 1/3");
    display.poll();
    take("done", runs[0]);
    phase(runs[1], "start-up");
    display.poll();
    expect(state.text.trimEnd().split("\n")).toEqual([
      "run 1 of 2: spark/taxi-report: start-up",
      "run 1 of 2: spark/taxi-report: sample 1/3",
      "created  spark/taxi-report",
      "run 2 of 2: ray/image-predictions: start-up",
    ]);
  });

  it("does not take what a killed attempt said last for what goes on", () => {
    const { state, display, phase, take } = setUp(false);
    phase(runs[0], "sample 2/3");
    state.at = 60_000;
    take("start", runs[0]);
    display.poll();
    expect(state.text).not.toContain("sample");
    phase(runs[0], "start-up");
    display.poll();
    expect(state.text).toContain("run 1 of 1: spark/taxi-report: start-up\n");
  });

  it("counts runs that wait for their turn apart from what works", () => {
    const { display, phase, take } = setUp(false);
    for (const run of runs) take("start", run);
    phase(runs[0], "start-up");
    phase(runs[1], "waiting for its turn");
    expect([display.inFlight, display.waiting]).toEqual([1, 1]);
  });

  it("breaks a long silence", () => {
    const { state, display, take } = setUp(false);
    take("start", "minio-binary");
    state.at = 20_000;
    display.poll();
    expect(state.text).toBe("");
    state.at = 95_000;
    display.poll();
    display.poll();
    expect(state.text).toBe("still at it: minio-binary (1 m 35 s)\n");
  });

  it("knows how many steps are in flight, components left out", () => {
    const { display, take } = setUp(false);
    take("start", "minio");
    take("start", "spark/taxi-report", "engine-comparison:pipelines:Run");
    expect(display.inFlight).toBe(1);
    take("done", "minio");
    expect(display.inFlight).toBe(0);
  });
});

describe("on a terminal", () => {
  it("keeps a last line that says what goes on, no longer than the screen is wide", () => {
    const { state, display, phase, take } = setUp(true);
    take("start", runs[0]);
    phase(runs[0], "a phase with a name that is far too long for any screen");
    state.at = 3_000;
    display.poll();
    const last = state.text.slice(state.text.lastIndexOf("\n") + 1);
    expect(last).toMatch(/^run 1 of 1: spark\/taxi-report: a phase/);
    expect(last.length).toBe(59);
  });

  it("leaves no rest of that line behind", () => {
    const { state, display, take } = setUp(true);
    take("start", "minio");
    display.end();
    expect(state.text.endsWith("\r\x1b[2K")).toBe(true);
  });
});
