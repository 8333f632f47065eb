import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Interrupts } from "../../../cli/terminal/follow";

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function setUp() {
  const state = { said: [] as string[], exits: [] as unknown[] };
  vi.spyOn(process, "exit").mockImplementation((code) => state.exits.push(code) as never);
  const interrupts = new Interrupts((what) => state.said.push(what));
  const press = (later: number) => {
    vi.setSystemTime(Date.now() + later);
    interrupts.interrupt();
  };
  return { state, interrupts, press };
}

it("the first Ctrl-C stops, the second ends, the third does not wait", () => {
  const { state, interrupts, press } = setUp();
  press(1_000);
  expect([interrupts.stop.aborted, interrupts.kill.aborted]).toEqual([true, false]);
  press(1_000);
  expect([interrupts.stop.aborted, interrupts.kill.aborted]).toEqual([true, true]);
  expect(state.exits).toEqual([]);
  press(1_000);
  expect(state.exits).toEqual([1]);
  expect(state.said).toEqual(["stop", "kill"]);
});

it("a signal that comes twice at once, from the terminal and from npm, is one", () => {
  const { state, interrupts, press } = setUp();
  press(1_000);
  press(20);
  expect(interrupts.kill.aborted).toBe(false);
  expect(state.said).toEqual(["stop"]);
});

it("who terminates the process means it at once", () => {
  const { state, interrupts } = setUp();
  interrupts.terminate();
  interrupts.terminate();
  expect([interrupts.stop.aborted, interrupts.kill.aborted]).toEqual([true, true]);
  expect(state.said).toEqual(["kill"]);
});
