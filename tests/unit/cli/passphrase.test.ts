import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { stackPassphrase } from "../../../cli/project";
import { Unfit } from "../../../cli/errors";
import { freshHome } from "./home";

const home = freshHome();

it("a stack gets a passphrase of its own, once, for this user alone", () => {
  const first = stackPassphrase("local");
  const file = path.join(home(), "local", "passphrase");
  expect(first.text.length).toBeGreaterThanOrEqual(32);
  expect(first.environment).toEqual({ PULUMI_CONFIG_PASSPHRASE_FILE: file });
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  expect(stackPassphrase("local")).toEqual(first);
  expect(stackPassphrase("other").text).not.toBe(first.text);
});

it("the user's own passphrase goes first, an empty one too", () => {
  process.env.PULUMI_CONFIG_PASSPHRASE = "";
  expect(stackPassphrase("local")).toEqual({ text: "", environment: {} });
  expect(fs.existsSync(path.join(home(), "local"))).toBe(false);
});

it("the user's own file goes before the stack's, and has to be there", () => {
  const file = path.join(home(), "mine");
  process.env.PULUMI_CONFIG_PASSPHRASE_FILE = file;
  expect(() => stackPassphrase("local")).toThrow(Unfit);
  fs.writeFileSync(file, "mine\n");
  expect(stackPassphrase("local").text).toBe("mine");
});
