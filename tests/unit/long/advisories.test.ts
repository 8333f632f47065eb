import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { judge, type Explained } from "../../long/advisories";

const today = "2026-11-23";
const known: Explained = { id: "A-1", package: "p", reason: "unused", until: "2026-12-31" };

describe("advisories about what is locked", () => {
  it.each<[string, Explained[], { id: string; package: string }[] | undefined, string[]]>([
    ["none", [], [], []],
    ["one that is explained", [known], [known], []],
    ["one that is not", [], [known], ["A-1 of p is not explained"]],
    [
      "the same one of another package",
      [known],
      [{ id: "A-1", package: "q" }, known],
      ["A-1 of q is not explained"],
    ],
    ["one that is gone", [known], [], ["A-1 of p need not be explained any more"]],
    ["one whose day is today", [{ ...known, until: today }], [known], []],
    [
      "one whose day is over",
      [{ ...known, until: "2026-11-22" }],
      [known],
      ["the explanation of A-1 of p has expired on 2026-11-22"],
    ],
    [
      "one whose day is over, where nobody can be asked",
      [{ ...known, until: "2026-11-22" }],
      undefined,
      ["the explanation of A-1 of p has expired on 2026-11-22"],
    ],
    [
      "one without a reason",
      [{ ...known, reason: "" }],
      [known],
      ["A-1 of p has no reason or no date"],
    ],
  ])("%s", (_, explained, found, wrong) => {
    expect(judge(explained, found, today)).toEqual(wrong);
  });

  it("are explained with a reason and a day that is not over", () => {
    const file = path.join(__dirname, "..", "..", "long", "advisories.json");
    const lists = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, Explained[]>;
    const now = new Date().toISOString().slice(0, 10);
    expect(Object.values(lists).flatMap((list) => judge(list, undefined, now))).toEqual([]);
  });
});
