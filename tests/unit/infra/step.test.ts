import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, expect, it } from "vitest";
import { step } from "../../../infra/stack/step";

const usual = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace") ?? { value: undefined };

beforeEach(() =>
  pulumi.runtime.setMocks({
    newResource: ({ name, inputs }) => ({ id: name, state: inputs as object }),
    call: () => ({}),
  }),
);
afterEach(() => void Object.defineProperty(Error, "prepareStackTrace", usual));

/** How many frames each trace has that is read while a step is declared. */
function tracesOf(name: string): number[] {
  const frames: number[] = [];
  Error.prepareStackTrace = (error, sites) => {
    frames.push(sites.length);
    return String(error);
  };
  step(name, { kind: "python", spec: {} }, {});
  return frames.filter((count) => count > 0);
}

it("is declared with its place in the source, and without a trace of each promise", () => {
  const limit = Error.stackTraceLimit;
  expect(tracesOf("one").length).toBeLessThan(5);
  expect(tracesOf("two").some((frames) => frames > limit)).toBe(true);
  expect(Error.stackTraceLimit).toBe(limit);
});

it("has the traces where leaks are looked for", () => {
  process.env.PULUMI_DEBUG_PROMISE_LEAKS = "1";
  try {
    expect(tracesOf("three").length).toBeGreaterThan(20);
  } finally {
    delete process.env.PULUMI_DEBUG_PROMISE_LEAKS;
  }
});
