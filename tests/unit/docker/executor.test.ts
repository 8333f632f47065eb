import { describe, expect, it } from "vitest";
import { belongsTo, placeOf } from "../../../infra/docker/executor";

describe("a job's container", () => {
  it.each([
    ["spark", "native", "app"],
    ["baseline", "ray", "app"],
    ["none", "ray", "app"],
    ["daft", "native", "app"],
    ["daft", "ray", "ray-head"],
    ["ray", "native", "ray-head"],
  ] as const)("of %s, with Daft's runner %s, is %s", (engine, runner, role) => {
    expect(placeOf(engine, runner)).toBe(role);
  });
});

describe("the containers that count as an engine's", () => {
  it.each([
    ["spark", "ray", ["app", "spark-master", "spark-worker-1", "spark-worker-2"]],
    ["ray", "native", ["ray-head", "ray-worker"]],
    ["daft", "ray", ["ray-head", "ray-worker"]],
    ["daft", "native", ["app"]],
    ["baseline", "ray", ["app"]],
  ] as const)("of %s, with Daft's runner %s, are %j", (engine, runner, roles) => {
    expect(belongsTo(engine, runner, 2)).toEqual(roles);
    expect(roles).toContain(placeOf(engine, runner));
  });
});
