import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkout } from "../../../infra/host/folders";
import { lock, tryLock } from "../../../infra/stack/lock";

let folder: string;
let file: string;
let others: ChildProcess[];
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "ec-lock-"));
  file = path.join(folder, "lock");
  others = [];
});
afterEach(() => {
  for (const other of others) other.kill("SIGKILL");
  fs.rmSync(folder, { recursive: true });
});

/** Another process that holds the lock until it is killed. */
async function holder(): Promise<ChildProcess> {
  const script = `
    const { tryLock } = require("./infra/stack/lock.ts");
    tryLock(${JSON.stringify(file)}).then((release) => console.log(release ? "held" : "busy"));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--require", "tsx/cjs", "-e", script], {
    cwd: checkout,
    stdio: ["ignore", "pipe", "inherit"],
  });
  others.push(child);
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  expect(said.toString()).toBe("held\n");
  return child;
}

describe("a lock", () => {
  it("is held by one at a time, in this process too", async () => {
    const release = await tryLock(file);
    expect(await tryLock(file)).toBeUndefined();
    release?.();
    release?.();
    (await tryLock(file))?.();
  });

  it("is waited for", async () => {
    const release = await lock(file);
    let waits = 0;
    const next = lock(file, () => (waits += 1));
    setTimeout(release, 300);
    (await next)();
    expect(waits).toBe(1);
  });

  it("is free when its holder was killed, and kept while its holder is suspended", async () => {
    const other = await holder();
    other.kill("SIGSTOP");
    fs.utimesSync(file, 0, 0);
    expect(await tryLock(file)).toBeUndefined();
    other.kill("SIGKILL");
    await once(other, "exit");
    (await lock(file))();
  });

  it("can be removed while it is held, and is then another one", async () => {
    const release = await tryLock(file);
    fs.rmSync(file);
    const next = await tryLock(file);
    expect(next).toBeDefined();
    release?.();
    expect(await tryLock(file)).toBeUndefined();
    next?.();
  });

  it("that several users share can be opened by all of them", async () => {
    const umask = process.umask(0o077);
    try {
      (await tryLock(file, 0o666))?.();
    } finally {
      process.umask(umask);
    }
    expect(fs.statSync(file).mode & 0o777).toBe(0o666);
  });

  it("has its mode from the moment that others see it", () => {
    const script = `
      const fs = require("node:fs");
      const file = ${JSON.stringify(file)};
      const { fchmodSync } = fs;
      fs.fchmodSync = (...args) => {
        console.log(fs.existsSync(file) ? "seen without its mode" : "not seen");
        fchmodSync(...args);
      };
      process.umask(0o077);
      require("./infra/stack/lock.ts").tryLock(file, 0o666);`;
    const child = spawnSync(process.execPath, ["--require", "tsx/cjs", "-e", script], {
      cwd: checkout,
      encoding: "utf8",
    });
    expect(child.stdout).toBe("not seen\n");
    expect(fs.statSync(file).mode & 0o777).toBe(0o666);
    expect(fs.readdirSync(folder)).toEqual(["lock"]);
  });

  it("is made once when many ask at the same time", async () => {
    const taken = await Promise.all(Array.from({ length: 5 }, () => tryLock(file, 0o666)));
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect(fs.readdirSync(folder)).toEqual(["lock"]);
    taken.forEach((release) => release?.());
  });
});
