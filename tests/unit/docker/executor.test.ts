import { describe, expect, it } from "vitest";
import { belongsTo, placeOf } from "../../../infra/targets/docker/executor";

describe("a job's container", () => {
  it.each([
    ["none", "app"],
    ["spark", "app"],
    ["ray", "ray-head"],
  ] as const)("on the cluster %s is %s", (cluster, role) => {
    expect(placeOf(cluster)).toBe(role);
  });
});

describe("the containers that count as an engine's", () => {
  it.each([
    ["spark", ["app", "spark-master", "spark-worker-1", "spark-worker-2"]],
    ["ray", ["ray-head", "ray-worker"]],
    ["none", ["app"]],
  ] as const)("on the cluster %s are %j", (cluster, roles) => {
    expect(belongsTo(cluster, 2)).toEqual(roles);
    expect(roles).toContain(placeOf(cluster));
  });
});
