import { describe, expect, it } from "vitest";
import { describeDifferences, differences, formatPath } from "../../../embedded/diff";
import { secret, unknownValue, type Value } from "../../../embedded/values";

const described = (old: Value, now: Value) => describeDifferences(differences(old, now));

describe("differences", () => {
  it("are leaves, by path", () => {
    expect(described({ a: 1, b: { c: [1, 2] } }, { a: 1, b: { c: [1, 3, 4] }, d: "x" })).toEqual([
      { path: "b.c[1]", kind: "update", old: 2, new: 3 },
      { path: "b.c[2]", kind: "add", new: 4 },
      { path: "d", kind: "add", new: "x" },
    ]);
    expect(described({ a: [1], b: 2 }, { a: [] })).toEqual([
      { path: "a[0]", kind: "delete", old: 1 },
      { path: "b", kind: "delete", old: 2 },
    ]);
  });

  it("are none between a property that is null and one that is missing", () => {
    expect(differences({ a: null, b: {} }, { b: { c: null } })).toEqual([]);
  });

  it("are there between an item of a list that is null and one that is missing", () => {
    expect(described({ a: [1] }, { a: [1, null] })).toEqual([
      { path: "a[1]", kind: "add", new: null },
    ]);
    expect(described({ a: secret([1, null]) }, { a: secret([1]) })).toMatchObject([{ path: "a" }]);
  });

  it("look into strings that hold JSON on both sides", () => {
    const spec = (value: object) => ({ environment: { SPEC: JSON.stringify(value) } });
    expect(described(spec({ fareAbove: "30", x: [1] }), spec({ fareAbove: "25", x: [1] }))).toEqual(
      [{ path: "environment.SPEC.fareAbove", kind: "update", old: "30", new: "25" }],
    );
    // Only written in another way: the string itself is what changed.
    expect(described({ s: '{"a":1}' }, { s: '{ "a": 1 }' })).toEqual([
      { path: "s", kind: "update", old: '{"a":1}', new: '{ "a": 1 }' },
    ]);
    expect(described({ s: '{"a":1}' }, { s: "text" })).toMatchObject([{ path: "s" }]);
  });

  it("show neither side of a value that is or was secret", () => {
    expect(described({ a: secret("x") }, { a: secret("y") })).toEqual([
      { path: "a", kind: "update", old: "[secret]", new: "[secret]" },
    ]);
    expect(described({ a: "x" }, { a: secret("x") })).toEqual([
      { path: "a", kind: "update", old: "[secret]", new: "[secret]" },
    ]);
    expect(described({ a: secret("x") }, { a: unknownValue })).toEqual([
      { path: "a", kind: "update", old: "[secret]", new: "[unknown]" },
    ]);
    expect(described({}, { a: { b: secret("x"), c: 1 } })).toEqual([
      { path: "a", kind: "add", new: "[secret]" },
    ]);
  });

  it("include what is not known yet", () => {
    expect(described({ a: ["x"] }, { a: [unknownValue] })).toEqual([
      { path: "a[0]", kind: "update", old: "x", new: "[unknown]" },
    ]);
  });
});

describe("property paths", () => {
  it.each([
    ["triggers[0].fareAbove", ["triggers", 0, "fareAbove"]],
    ['a["b.c"][12]', ["a", "b.c", 12]],
    ["x", ["x"]],
  ])("are written: %s", (text, path) => {
    expect(formatPath(path)).toBe(text);
  });
});
