import { expect, it } from "vitest";
import { explained } from "../../../infra/stores/client";
import { explainFullDisk, UserError } from "../../../infra/contracts/errors";

const coded = (message: string, code: string, path?: string) =>
  Object.assign(new Error(message), { code, ...(path && { path }) });

it("a full disk is a user's error that names the file", () => {
  const error = explainFullDisk(coded("ENOSPC: no space left on device", "ENOSPC", "/x/state"));
  expect(error).toBeInstanceOf(UserError);
  expect((error as UserError).message).toContain("no space is left on the disk of /x/state");
});

it("every other error stays what it is", () => {
  const bug = new TypeError("x is not a function");
  expect(explainFullDisk(bug)).toBe(bug);
});

it.each([
  ["SignatureDoesNotMatch", "refused the credentials"],
  ["ECONNREFUSED", "does not answer"],
  ["XMinioStorageFull", "has no room left"],
])("a store that answers %s is told in words", async (code, words) => {
  const call = explained(() => Promise.reject(coded("said so", code)));
  await expect(call).rejects.toThrow(words);
  await expect(call).rejects.toBeInstanceOf(UserError);
});
