import * as fc from "fast-check";
import { expect, it } from "vitest";
import { bucketsNamed, isBucketName, ownBuckets } from "../../../infra/settings/bucketNames";

it.each(["lake", "a-b.c", "0ab", "a".repeat(63)])("takes %s as a bucket's name", (name) => {
  expect(isBucketName(name)).toBe(true);
});

it.each(["ab", "a".repeat(64), "Lake", "-lake", "lake-", "a..b", "a_b", "10.0.0.1", "xn--a", ""])(
  "does not take %j as a bucket's name",
  (name) => {
    expect(isBucketName(name)).toBe(false);
  },
);

it("gives every purpose its usual name after the prefix, but for those that are named", () => {
  expect(bucketsNamed(undefined, {})).toEqual(ownBuckets);
  expect(bucketsNamed("me-", { output: "results" })).toEqual({
    lake: "me-lake",
    images: "me-bucket",
    warehouse: "me-warehouse",
    output: "results",
  });
});

it("makes four different names of any prefix", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,40}$/), (prefix) => {
      const names = Object.values(bucketsNamed(prefix, {}));
      expect(new Set(names).size).toBe(4);
      expect(names.every((name) => name.startsWith(prefix))).toBe(true);
    }),
  );
});
