import type { EngineEvent } from "@pulumi/pulumi/automation";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { PulumiEvents } from "../../../cli/runners/pulumiEvents";
import type { StepEvent } from "../../../cli/runners/runner";

const urn = "urn:pulumi:local::p::a:b:Run$command:local:Command::spark/taxi-report";
const type = "command:local:Command";
let told: StepEvent[];
let events: PulumiEvents;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: 0 });
  told = [];
  events = new PulumiEvents((event) => told.push(event));
});
afterEach(() => void vi.useRealTimers());

function take(event: Partial<Record<keyof EngineEvent, unknown>>): void {
  events.take({ sequence: 1, timestamp: 1, ...event } as EngineEvent);
}

const metadata = (op: string, inputs?: [old: unknown, now: unknown]) => ({
  op,
  urn,
  type,
  ...(inputs ? { old: { inputs: inputs[0] }, new: { inputs: inputs[1] } } : {}),
});

it("a replacement is one step, with its time", () => {
  take({ resourcePreEvent: { metadata: metadata("create-replacement") } });
  vi.setSystemTime(1_500);
  take({ resOutputsEvent: { metadata: metadata("create-replacement") } });
  take({ resourcePreEvent: { metadata: metadata("replace") } });
  take({ resOutputsEvent: { metadata: metadata("replace") } });
  const step = { op: "replace", urn, type, name: "spark/taxi-report" };
  expect(told).toEqual([
    { kind: "start", ...step },
    { kind: "done", ...step, seconds: 1.5, diff: [] },
  ]);
});

it("a preview tells what changed, inside of JSON too", () => {
  const inputs = (fare: string) => ({
    triggers: [{ fareAbove: fare }],
    environment: { SPEC: JSON.stringify({ inputs: { fareAbove: fare }, rank: 0 }) },
  });
  const replaced = metadata("create-replacement", [inputs("30"), inputs("40")]);
  take({ resourcePreEvent: { planning: true, metadata: replaced } });
  take({ resOutputsEvent: { planning: true, metadata: replaced } });
  take({ summaryEvent: { resourceChanges: { replace: 1, same: 7 } } });
  const diff = [
    { path: "environment.SPEC.inputs.fareAbove", kind: "update", old: "30", new: "40" },
    { path: "triggers[0].fareAbove", kind: "update", old: "30", new: "40" },
  ];
  const step = { op: "replace", urn, type, name: "spark/taxi-report" };
  expect(events.changes).toEqual({ replace: 1, same: 7 });
  expect(told).toEqual([
    { kind: "done", ...step, diff, inputs: inputs("40") },
    { kind: "summary", changes: { replace: 1, same: 7 } },
  ]);
});

it("a failed step has the reason that came before it", () => {
  const message = "<{%reset%}>exit status 1: running x:\nno executor came<{%reset%}>\n";
  take({ diagnosticEvent: { urn, message, severity: "error", color: "" } });
  take({ resOpFailedEvent: { metadata: metadata("create"), status: 0, steps: 0 } });
  const error = "exit status 1: running x:\nno executor came";
  expect(told).toEqual([
    { kind: "failed", op: "create", urn, type, name: "spark/taxi-report", error },
  ]);
  expect(events.errors).toEqual([`spark/taxi-report: ${error}`]);
});

it("an error of the program itself is kept, and that the whole failed is not", () => {
  const stack = "urn:pulumi:local::p::pulumi:pulumi:Stack::p-local";
  const diagnostic = (message: string) => ({
    diagnosticEvent: { urn: stack, message, severity: "error", color: "" },
  });
  take(diagnostic("port 9000 is taken"));
  take(diagnostic("update failed"));
  expect(events.errors).toEqual(["port 9000 is taken"]);
  expect(told).toHaveLength(1);
});

it("a preview tells what the program declares, of what stays the same too", () => {
  const inputs = { triggers: [{ fareAbove: "30" }] };
  const unchanged = metadata("same", [inputs, inputs]);
  take({ resourcePreEvent: { planning: true, metadata: unchanged } });
  take({ resOutputsEvent: { planning: true, metadata: unchanged } });
  expect(told).toEqual([
    { kind: "done", op: "same", urn, type, name: "spark/taxi-report", inputs },
  ]);
});
