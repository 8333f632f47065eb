import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Display } from "../../../cli/terminal/display";
import type { RunProgress } from "../../../results/records";

const runs = ["spark/taxi-report", "ray/image-predictions"];

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: 0 }));
afterEach(() => void vi.useRealTimers());

/** A display on a screen that remembers, at a time that is set by hand. */
function setUp(isTTY: boolean) {
  const state = {
    get at() {
      return Date.now();
    },
    set at(time) {
      vi.setSystemTime(time);
    },
    text: "",
    progress: new Map<string, RunProgress>(),
  };
  const display = new Display({
    screen: { isTTY, columns: 60, write: (text: string) => (state.text += text) },
    runs,
    progressOf: (run) => state.progress.get(run),
    recordOf: () => undefined,
  });
  const phase = (run: string, words: string, began = state.at) =>
    state.progress.set(run, {
      phase: words,
      since: new Date(state.at).toISOString(),
      began: new Date(began).toISOString(),
    });
  const waits = (run: string) =>
    state.progress.set(run, {
      phase: "waiting for its turn",
      since: new Date(state.at).toISOString(),
    });
  const take = (kind: "start" | "done", name: string, type = "command:local:Command") =>
    display.take({ kind, op: "create", urn: name, type, name });
  return { state, display, phase, waits, take };
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

  it("tells each phase of a run once, which of how many and since when, not that it waits", () => {
    const { state, display, phase, waits, take } = setUp(false);
    for (const run of runs) {
      take("done", run, "engine-comparison:pipelines:Run"); // the component of the same name
      take("start", run);
    }
    phase(runs[0], "start-up");
    waits(runs[1]);
    display.poll();
    display.poll();
    state.at = 20_400;
    phase(runs[0], "sample 1/3", 0);
    display.poll();
    take("done", runs[0]);
    phase(runs[1], "start-up");
    display.poll();
    expect(state.text.trimEnd().split("\n")).toEqual([
      "spark/taxi-report 1 of 2: start-up, 0 s",
      "spark/taxi-report 1 of 2: sample 1/3, 20 s",
      "created  spark/taxi-report",
      "ray/image-predictions 2 of 2: start-up, 0 s",
    ]);
  });

  it("breaks a long silence with what a step that is no run says of itself", () => {
    const { state, display, phase, take } = setUp(false);
    take("start", "taxi-files");
    phase("taxi-files", "file 2 of 13: 20 of 50 MB, 1.0 MB/s, 0:30 left");
    display.poll();
    expect(state.text).toBe("");
    state.at = 31_000;
    display.poll();
    expect(state.text).toBe(
      "in progress: taxi-files file 2 of 13: 20 of 50 MB, 1.0 MB/s, 0:30 left (31 s)\n",
    );
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
    expect(state.text).toContain("spark/taxi-report 1 of 2: start-up, 0 s\n");
  });

  it("counts runs that have not begun, but none that stands as it is", () => {
    const { state, display, phase, take } = setUp(false);
    const same = { kind: "done", op: "same", urn: "urn", name: runs[1] } as const;
    display.take({ ...same, type: "engine-comparison:pipelines:Run" });
    take("start", runs[0]);
    phase(runs[0], "start-up");
    display.poll();
    display.take({ ...same, type: "command:local:Command" });
    phase(runs[0], "warm-up");
    display.poll();
    expect(state.text).toContain("spark/taxi-report 1 of 2: start-up");
    expect(state.text).toContain("spark/taxi-report 1 of 1: warm-up");
  });

  it("counts runs that wait for their turn apart from what works", () => {
    const { display, phase, waits, take } = setUp(false);
    for (const run of runs) take("start", run);
    phase(runs[0], "start-up");
    waits(runs[1]);
    expect([display.inFlight, display.waiting]).toEqual([1, 1]);
  });

  it("breaks a long silence", () => {
    const { state, display, take } = setUp(false);
    take("start", "toolchain-minio-binary");
    state.at = 20_000;
    display.poll();
    expect(state.text).toBe("");
    state.at = 95_000;
    display.poll();
    display.poll();
    expect(state.text).toBe("in progress: toolchain-minio-binary (1 m 35 s)\n");
  });

  it("breaks the silence of a run with the time since its turn came", () => {
    const { state, display, phase, waits, take } = setUp(false);
    for (const run of runs) take("start", run);
    phase(runs[0], "sample 2/3");
    waits(runs[1]);
    display.poll();
    state.at = 95_000;
    display.poll();
    expect(state.text).toBe(
      "spark/taxi-report 1 of 2: sample 2/3, 0 s\n" +
        "in progress: spark/taxi-report 1 of 2: sample 2/3, 1 m 35 s\n",
    );
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
  it("counts the time in a last line that is rewritten", () => {
    const { state, display, phase, waits, take } = setUp(true);
    for (const run of runs) take("start", run);
    phase(runs[0], "sample 2/3");
    waits(runs[1]);
    display.poll();
    for (state.at = 39_000; state.at < 42_000; state.at += 1000) display.poll();
    const lines = state.text.split("\n");
    expect(lines.slice(0, -1)).toEqual([expect.stringMatching(/1 of 2: sample 2\/3, 0 s$/)]);
    const rewritten = lines
      .at(-1)!
      .split("\r\x1b[2K")
      .filter((text) => text !== "");
    expect(rewritten.slice(-3)).toEqual(
      [39, 40, 41].map((at) => `spark/taxi-report 1 of 2: sample 2/3, ${at} s`),
    );
  });

  it("keeps a last line that says what goes on, no longer than the screen is wide", () => {
    const { state, display, phase, take } = setUp(true);
    take("start", runs[0]);
    phase(runs[0], "a phase with a name that is far too long for any screen");
    state.at = 3_000;
    display.poll();
    const last = state.text.slice(state.text.lastIndexOf("\n") + 1);
    expect(last).toMatch(/^spark\/taxi-report 1 of 2: a phase/);
    expect(last.length).toBe(59);
  });

  it("leaves no rest of that line behind", () => {
    const { state, display, take } = setUp(true);
    take("start", "minio");
    display.end();
    expect(state.text.endsWith("\r\x1b[2K")).toBe(true);
  });
});
