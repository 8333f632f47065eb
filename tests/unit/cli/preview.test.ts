import { expect, it } from "vitest";
import { previewLines } from "../../../cli/verbs/preview";

const update = (path: string) => ({ path, kind: "update", old: "30", new: "40" }) as const;
const run = {
  op: "replace",
  urn: "u",
  name: "spark/taxi-report",
  diff: [update("environment.SPEC.key"), update("triggers[0].fareAbove")],
} as const;

it("a preview names what of a run's key has changed", () => {
  expect(previewLines([run], false)).toEqual(["+- replace spark/taxi-report  (fareAbove)"]);
});

it("a preview names what has changed about a thing that stands", () => {
  const step = { ...run, op: "update", name: "minio", diff: [update("environment.SPEC.ports")] };
  expect(previewLines([step as never], false)).toEqual(["~  update  minio  (ports)"]);
  const made = { ...run, op: "create", name: "minio", diff: [] };
  expect(previewLines([made as never], false)).toEqual(["+  create  minio"]);
});

it("with --diff every changed input has a line", () => {
  expect(previewLines([run], true)).toEqual([
    "+- replace spark/taxi-report",
    '      ~ environment.SPEC.key: "30" => "40"',
    '      ~ triggers[0].fareAbove: "30" => "40"',
  ]);
});
