import * as fs from "node:fs";
import { afterEach, expect, it, vi } from "vitest";
import { ownEnvironment } from "../../../infra/host/environment";
import { cacheFolder } from "../../../infra/host/folders";
import { unknownUser, userCheck } from "../../../infra/host/platform";
import { ownProcesses } from "../../../infra/host/processTable";
import { makeShortFolder } from "../../../infra/stack/files";
import { freshHome } from "../cli/home";

freshHome();
let folder: string | undefined;
afterEach(() => {
  vi.unstubAllEnvs();
  if (folder) fs.rmSync(folder, { recursive: true });
});

vi.mock("node:os", async (original) => ({
  ...(await original<typeof import("node:os")>()),
  /** As for a uid without an entry in passwd, such as in a container. */
  userInfo() {
    throw new Error("A system error occurred: uv_os_get_passwd returned ENOENT (no such file)");
  },
  homedir() {
    throw new Error("A system error occurred: uv_os_homedir returned ENOENT (no such file)");
  },
}));

it("a user without HOME and an entry in passwd is told what to set", () => {
  vi.stubEnv("ENGINE_COMPARISON_CACHE", "").stubEnv("XDG_CACHE_HOME", "");
  expect(() => cacheFolder()).toThrow(/has no home folder.*do: {2}set HOME, or set both/s);
});

it("a user without an entry in passwd is told that Spark does not run", async () => {
  const facts = await userCheck.observe({} as never);
  const [error] = userCheck.judge!(facts, {} as never);
  expect(error.message).toMatch(/^the user \d+ has no line in \/etc\/passwd[^]*useradd --uid/);
  expect(unknownUser({ uid: 1000, isKnown: true })).toEqual([]);
});

it("a user without an entry in passwd has an environment for children", () => {
  const { USER, LOGNAME } = ownEnvironment({ home: "/h", temporary: "/t" }, {});
  expect([USER, LOGNAME]).toEqual([`uid-${process.getuid?.()}`, USER]);
});

it("a user without an entry in passwd has processes and a folder for sockets", () => {
  if (process.platform === "linux") {
    expect(ownProcesses().map(({ pid }) => pid)).toContain(process.pid);
  }
  folder = makeShortFolder("local");
  expect(fs.statSync(folder).mode & 0o777).toBe(0o700);
});
