import { describe, expect, it } from "vitest";
import type { Docker } from "../../../infra/targets/docker/daemon";
import { takenBy } from "../../../infra/targets/docker/checks";
import {
  inspect,
  generationOf,
  takenNames,
  volumeGeneration,
} from "../../../infra/targets/docker/inspect";

describe("the number of a container or network", () => {
  const here = { id: "a", generation: "3", running: true };
  const settled = { id: "a", generation: "3" };

  it.each([
    ["begins at 1", undefined, undefined, "1"],
    ["stays while the recorded one runs", settled, here, "3"],
    ["stays while a recorded network is there", settled, { id: "a", generation: "3" }, "3"],
    ["rises when the recorded one was removed", settled, undefined, "4, after it was removed"],
    [
      "rises when the recorded one was stopped",
      settled,
      { ...here, running: false },
      "4, after it stopped",
    ],
    [
      "rises when another one has its name",
      settled,
      { ...here, id: "b" },
      "4, after it lost its record",
    ],
    [
      "rises when nobody recorded the one that is there",
      undefined,
      here,
      "4, after it lost its record",
    ],
    [
      "rises above an unrecorded one's",
      settled,
      { ...here, id: "b", generation: "7" },
      "8, after it lost its record",
    ],
  ])("%s", (_what, recorded, found, expected) => {
    expect(generationOf(recorded, found)).toBe(expected);
  });
});

describe("the number of a volume", () => {
  it("begins at 1", () => expect(volumeGeneration(undefined, undefined)).toBe("1"));

  it("is the one of the volume that is there, recorded or not: there is data in it", () => {
    expect(volumeGeneration("5", undefined)).toBe("5");
    expect(volumeGeneration("5", "4")).toBe("5");
  });

  it("rises when the recorded volume was lost", () => {
    expect(volumeGeneration(undefined, "5")).toBe("6, after it was lost");
  });
});

/** A daemon with containers, networks and volumes, each a name and the id of the stack it belongs to. */
class FakeDocker {
  constructor(private readonly all: Readonly<Record<string, readonly [string, string][]>>) {}

  run(args: readonly string[]): string {
    const things = this.all[args[0]] ?? [];
    const wanted = args.find((arg) => arg.startsWith("label="))?.split("=")[2];
    const found = things.filter(([, id]) => wanted === undefined || id === wanted);
    if (wanted === undefined) return found.map((thing) => thing.join("\t")).join("\n");
    const row = (name: string) =>
      args[0] === "ps" ? [name, `${name}-id`, "running", "1", "Up"] : [name, "1"];
    return found.map(([name]) => row(name).join("\t")).join("\n");
  }
}

describe("two stacks of one name on a daemon", () => {
  const daemon = new FakeDocker({
    ps: [["minio", "theirs"]],
    network: [["engine-comparison", "theirs"]],
    volume: [["engine-comparison-minio-data", "theirs"]],
  }) as unknown as Docker;

  it("see only what carries their id, and nothing before their first up", () => {
    expect(inspect(daemon, "mine").containers.size).toBe(0);
    expect(inspect(daemon, undefined).volumes.size).toBe(0);
    expect([...inspect(daemon, "theirs").containers.keys()]).toEqual(["minio"]);
  });

  it.each([undefined, "mine"])("are refused what another one has (%s)", (id) => {
    const said =
      "the Docker daemon has container minio, network engine-comparison, volume engine-comparison-minio-data";
    const [error] = takenBy(takenNames(daemon, "dev", 2, id), "dev");
    expect(error.what).toContain(said);
    expect(error.why).toContain("the id theirs");
    expect(takenNames(daemon, "dev", 2, "theirs")).toEqual([]);
    expect(takenNames(daemon, "other", 2, id)).toEqual([]);
  });
});
