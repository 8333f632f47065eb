import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../../infra/userError";
import { lockStack } from "../../../embedded/lock";

describe("the lock of a stack", () => {
  let folder: string;
  const others: ChildProcess[] = [];
  const lost = () => undefined;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(tmpdir(), "lock-"));
  });
  afterEach(() => {
    others.splice(0).forEach((other) => other.kill("SIGKILL"));
    fs.rmSync(folder, { recursive: true });
  });

  /** Another process that holds the lock until it is killed. */
  async function holder(): Promise<ChildProcess> {
    const script = `
      require(${JSON.stringify(path.resolve("embedded/lock.ts"))})
        .lockStack(${JSON.stringify(folder)}, "up", () => {})
        .then(() => console.log("held"));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--import", "tsx", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    others.push(child);
    await once(child.stdout as NodeJS.ReadableStream, "data");
    return child;
  }

  it("keeps a second process out and says who holds it", async () => {
    const { pid } = await holder();
    const error = await lockStack(folder, "up", lost).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).what).toMatch(new RegExp(`in use by process ${pid} on .* \\(up, `));
  }, 60_000);

  it("of a process that was killed is taken over at once", async () => {
    const child = await holder();
    child.kill("SIGKILL");
    await once(child, "exit");
    const unlock = await lockStack(folder, "destroy", lost);
    await unlock();
  }, 60_000);

  it("is free again once it is given back", async () => {
    for (let i = 0; i < 3; i++) {
      const unlock = await lockStack(folder, "up", lost);
      await unlock();
    }
    expect(fs.readdirSync(folder)).toEqual([]);
  });
});
