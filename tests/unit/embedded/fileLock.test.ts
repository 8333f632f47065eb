import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockFile, type FileLock } from "../../../embedded/fileLock";

describe("the lock of a file", () => {
  let folder: string;
  let file: string;
  const others: ChildProcess[] = [];

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(tmpdir(), "lock-"));
    file = path.join(folder, "lock.json");
  });
  afterEach(() => {
    others.splice(0).forEach((other) => other.kill("SIGKILL"));
    fs.rmSync(folder, { recursive: true });
  });

  /** Another process that tries to lock the file and says whether it did; it ends when killed. */
  async function other(): Promise<{ process: ChildProcess; locked: boolean }> {
    const script = `
      const { lockFile } = require(${JSON.stringify(path.resolve("embedded/fileLock.ts"))});
      console.log("release" in lockFile(${JSON.stringify(file)}, "up") ? "locked" : "refused");
      require("node:child_process").spawn("sleep", ["5"], { detached: true, stdio: "ignore" });
      setInterval(() => {}, 1000);`;
    const process = spawn(globalThis.process.execPath, ["--import", "tsx", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    others.push(process);
    const [line] = (await once(process.stdout, "data")) as [Buffer];
    return { process, locked: line.toString() === "locked\n" };
  }

  function release(lock: FileLock): void {
    if (!("release" in lock)) throw new Error("it is locked");
    lock.release();
  }

  it("keeps another process out and says who holds it", async () => {
    const { process } = await other();
    expect(lockFile(file, "destroy")).toEqual({
      holder: expect.objectContaining({ pid: process.pid, verb: "up" }) as unknown,
    });
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  }, 60_000);

  it("goes to one of several that want it at the same time", async () => {
    const all = await Promise.all(Array.from({ length: 4 }, other));
    expect(all.filter(({ locked }) => locked)).toHaveLength(1);
  }, 60_000);

  it("is free as soon as its holder is killed, whatever the holder had started", async () => {
    const { process } = await other();
    process.kill("SIGKILL");
    await once(process, "exit");
    release(lockFile(file, "destroy"));
  }, 60_000);

  it("stays with a holder that is suspended, however old its file is", async () => {
    const { process } = await other();
    process.kill("SIGSTOP");
    const longAgo = new Date(Date.now() - 3600_000);
    fs.utimesSync(file, longAgo, longAgo);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(lockFile(file, "up")).toHaveProperty("holder.pid", process.pid);
    process.kill("SIGCONT");
    expect(lockFile(file, "up")).toHaveProperty("holder.pid", process.pid);
  }, 60_000);

  it("is free again once it is released, and leaves no file", () => {
    for (let i = 0; i < 3; i++) release(lockFile(file, "up"));
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it("is never held twice, though the file is removed at each release", async () => {
    const script = `
      const fs = require("node:fs");
      const { lockFile } = require(${JSON.stringify(path.resolve("embedded/fileLock.ts"))});
      const inside = ${JSON.stringify(path.join(folder, "inside"))};
      let held = 0;
      for (const end = Date.now() + 1500; Date.now() < end; ) {
        const lock = lockFile(${JSON.stringify(file)}, "up");
        if (!("release" in lock)) continue;
        fs.mkdirSync(inside); // fails if another one is inside, too
        fs.rmdirSync(inside);
        lock.release();
        held++;
      }
      console.log(held);`;
    const many = Array.from({ length: 3 }, async () => {
      const args = ["--import", "tsx", "-e", script];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      return Number(stdout);
    });
    for (const held of await Promise.all(many)) expect(held).toBeGreaterThan(0);
  }, 60_000);
});
