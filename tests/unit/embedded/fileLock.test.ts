import { execFile, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { tryLock } from "../../../embedded/fileLock";

const required = `require(${JSON.stringify(path.resolve("embedded/fileLock.ts"))})`;
const byTsx = ["--require", "tsx/cjs", "-e"];

describe("the lock of a file", () => {
  let folder: string;
  let file: string;
  const others: ChildProcess[] = [];

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(tmpdir(), "lock-"));
    file = path.join(folder, "lock");
  });
  afterEach(() => {
    others.splice(0).forEach((other) => other.kill("SIGKILL"));
    fs.rmSync(folder, { recursive: true });
  });

  /** Another process that tries to lock the file and says whether it did; it ends when killed. */
  async function other(): Promise<{ process: ChildProcess; locked: boolean }> {
    const script = `
      console.log(${required}.tryLock(${JSON.stringify(file)}) ? "locked" : "refused");
      require("node:child_process").spawn("sleep", ["5"], { detached: true, stdio: "ignore" });
      setInterval(() => {}, 1000);`;
    const process = spawn(globalThis.process.execPath, [...byTsx, script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    others.push(process);
    const [line] = (await once(process.stdout, "data")) as [Buffer];
    return { process, locked: line.toString() === "locked\n" };
  }

  it("is held by one at a time, in this process too", () => {
    const release = tryLock(file);
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    expect(tryLock(file)).toBeUndefined();
    release?.();
    release?.();
    tryLock(file)!();
  });

  it("goes to one of several that want it at the same time", async () => {
    const all = await Promise.all(Array.from({ length: 4 }, other));
    expect(all.filter(({ locked }) => locked)).toHaveLength(1);
    expect(fs.readdirSync(folder)).toEqual(["lock"]);
  }, 60_000);

  it("is free when its holder was killed, and kept while its holder is suspended", async () => {
    const { process } = await other();
    process.kill("SIGSTOP");
    fs.utimesSync(file, 0, 0);
    expect(tryLock(file)).toBeUndefined();
    process.kill("SIGCONT");
    expect(tryLock(file)).toBeUndefined();
    process.kill("SIGKILL");
    await once(process, "exit");
    // The kernel closes a killed process's files soon, but not always before its end is known.
    await vi.waitFor(() => tryLock(file)!(), { timeout: 10_000 });
  }, 60_000);

  it("can be removed while it is held, and is then another one", () => {
    const release = tryLock(file);
    fs.rmSync(file);
    const next = tryLock(file);
    expect(next).toBeDefined();
    release?.();
    expect(tryLock(file)).toBeUndefined();
    next?.();
  });

  it("that several users share has its mode from the moment that others see it", () => {
    const script = `
      const fs = require("node:fs");
      const file = ${JSON.stringify(file)};
      const { fchmodSync } = fs;
      fs.fchmodSync = (...args) => {
        console.log(fs.existsSync(file) ? "seen without its mode" : "not seen");
        fchmodSync(...args);
      };
      process.umask(0o077);
      ${required}.tryLock(file, 0o666);`;
    const child = spawnSync(process.execPath, [...byTsx, script], { encoding: "utf8" });
    expect(child.stdout).toBe("not seen\n");
    expect(fs.statSync(file).mode & 0o777).toBe(0o666);
    expect(fs.readdirSync(folder)).toEqual(["lock"]);
  });

  it("is never held twice, though the file is removed at each release", async () => {
    const script = `
      const fs = require("node:fs");
      const { tryLock } = ${required};
      const file = ${JSON.stringify(file)};
      const inside = ${JSON.stringify(path.join(folder, "inside"))};
      let held = 0;
      for (const end = Date.now() + 1500; Date.now() < end; ) {
        const release = tryLock(file);
        if (!release) continue;
        fs.mkdirSync(inside); // fails if another one is inside, too
        fs.rmdirSync(inside);
        fs.rmSync(file);
        release();
        held++;
      }
      console.log(held);`;
    const many = Array.from({ length: 3 }, async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [...byTsx, script]);
      return Number(stdout);
    });
    for (const held of await Promise.all(many)) expect(held).toBeGreaterThan(0);
  }, 60_000);
});
