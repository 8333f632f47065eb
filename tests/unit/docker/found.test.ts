import { describe, expect, it } from "vitest";
import { incarnationOf, volumeIncarnation } from "../../../infra/targets/docker/inspect";

describe("the number of a container or network", () => {
  const here = { id: "a", incarnation: 3, running: true };
  const settled = { id: "a", incarnation: 3 };

  it.each([
    ["begins at 1", undefined, undefined, 1],
    ["stays while the recorded one runs", settled, here, 3],
    ["stays while a recorded network is there", settled, { id: "a", incarnation: 3 }, 3],
    ["rises when the recorded one was removed", settled, undefined, 4],
    ["rises when the recorded one was stopped", settled, { ...here, running: false }, 4],
    ["rises when another one has its name", settled, { ...here, id: "b" }, 4],
    ["rises when nobody recorded the one that is there", undefined, here, 4],
    ["rises above an unrecorded one's", settled, { ...here, id: "b", incarnation: 7 }, 8],
  ])("%s", (_what, recorded, found, expected) => {
    expect(incarnationOf(recorded, found)).toBe(expected);
  });
});

describe("the number of a volume", () => {
  it("begins at 1", () => expect(volumeIncarnation(undefined, undefined)).toBe(1));

  it("is the one of the volume that is there, recorded or not: there is data in it", () => {
    expect(volumeIncarnation(5, undefined)).toBe(5);
    expect(volumeIncarnation(5, 4)).toBe(5);
  });

  it("rises when the recorded volume was lost", () => {
    expect(volumeIncarnation(undefined, 5)).toBe(6);
  });
});
