import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { goOn, isStopping, stopWaiting, takeTurn } from "../../../pipelines/turn";

const checkout = path.join(__dirname, "..", "..", "..");
const nobody = 65_534;

let above: string;
let folder: string;
let others: ChildProcess[];
beforeEach(() => {
  above = fs.mkdtempSync(path.join(os.tmpdir(), "turns-"));
  fs.chmodSync(above, 0o1777);
  folder = path.join(above, "turns");
  process.env.ENGINE_COMPARISON_TURNS = folder;
  others = [];
});
afterEach(() => {
  for (const other of others) other.kill("SIGKILL");
  delete process.env.ENGINE_COMPARISON_TURNS;
  fs.rmSync(above, { recursive: true });
});

/** Another process that takes a turn and holds it; resolves when it has it. */
async function holder(uid = process.getuid!(), umask = 0o22): Promise<ChildProcess> {
  const program = `process.umask(${umask}); require("./pipelines/turn").takeTurn(1).then(() => {
    console.log("mine"); setInterval(() => {}, 1000); })`;
  const other = spawn(process.execPath, ["--require", "tsx/cjs", "--eval", program], {
    cwd: checkout,
    uid,
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env.PATH, ENGINE_COMPARISON_TURNS: folder, TMPDIR: above },
  });
  others.push(other);
  await once(other.stdout, "data");
  return other;
}

/** Whether a turn is had within the time; one that is not is given up. */
async function isFree(milliseconds: number): Promise<boolean> {
  const until = Date.now() + milliseconds;
  const turn = takeTurn(2, () => Date.now() > until);
  return turn.then(
    (end) => (end(), true),
    () => false,
  );
}

/** Takes a turn, notes it, and holds it for a while. */
async function run(rank: number, order: number[], running: { now: number; most: number }) {
  const end = await takeTurn(rank);
  running.most = Math.max(running.most, ++running.now);
  order.push(rank);
  await sleep(50);
  running.now -= 1;
  end();
}

it("lets runs go one at a time, lowest rank first, whatever order they come in", async () => {
  const order: number[] = [];
  const running = { now: 0, most: 0 };
  await Promise.all([2, 0, 3, 1].map((rank) => run(rank, order, running)));
  expect(order).toEqual([0, 1, 2, 3]);
  expect(running.most).toBe(1);
});

it("passes over the ticket of a process that died", async () => {
  const { pid } = spawnSync("true");
  fs.mkdirSync(folder);
  const dead = [`0000-1-${pid}-1.ticket`, `-0000-1-${process.pid}-1.ticket`];
  for (const name of dead) fs.writeFileSync(path.join(folder, name), "");
  const end = await takeTurn(5);
  end();
  expect(fs.readdirSync(folder)).toEqual(["turn.lock"]);
});

it("passes over a process that waits and was stopped, which goes on when it continues", async () => {
  const end = await takeTurn(0);
  const other = holder();
  while (!fs.readdirSync(folder).some((name) => name.startsWith("0001-"))) await sleep(50);
  others[0].kill("SIGSTOP");
  end();
  expect(await isFree(5_000)).toBe(true);
  others[0].kill("SIGCONT");
  await other;
}, 20_000);

it("is kept by a process that is suspended, and freed when it is killed", async () => {
  const other = await holder();
  other.kill("SIGSTOP");
  expect(await isFree(2_000)).toBe(false);
  other.kill("SIGKILL");
  expect(await isFree(4_000)).toBe(true);
}, 20_000);

const asNobody = { uid: nobody, cwd: checkout };
const reads = spawnSync(process.execPath, ["-e", "require('tsx/cjs')"], asNobody).status === 0;

it.skipIf(!reads)(
  "is one for all users of the machine (needs root, and a checkout that all may read)",
  async () => {
    const other = await holder(nobody, 0o77);
    expect(fs.statSync(folder).mode & 0o7777).toBe(0o1777);
    expect(await isFree(2_000)).toBe(false);
    other.kill("SIGKILL");
    expect(await isFree(4_000)).toBe(true);
    const end = await takeTurn(0);
    const next = holder(nobody);
    await sleep(1_500);
    expect(fs.readdirSync(folder).filter((name) => name.startsWith("-"))).toHaveLength(1);
    end();
    await next;
  },
  20_000,
);

it("says what to do about a folder that others made for themselves", async () => {
  fs.writeFileSync(folder, "");
  await expect(takeTurn(0)).rejects.toThrow(/cannot be written to/);
});

it("leaves nothing behind", async () => {
  const end = await takeTurn(1);
  end();
  expect(fs.readdirSync(folder)).toEqual(["turn.lock"]);
});

it("gives up when the deployment is stopped, and lets the next one go", async () => {
  const end = await takeTurn(0);
  let stopping = false;
  const waiting = takeTurn(1, () => stopping);
  const next = takeTurn(2);
  stopping = true;
  await expect(waiting).rejects.toThrow("stopped before its turn came");
  end();
  (await next)();
  expect(fs.readdirSync(folder)).toEqual(["turn.lock"]);
});

describe("stopping", () => {
  const before = process.env.ENGINE_COMPARISON_HOME;
  beforeEach(() => (process.env.ENGINE_COMPARISON_HOME = folder));
  afterEach(() => {
    if (before === undefined) delete process.env.ENGINE_COMPARISON_HOME;
    else process.env.ENGINE_COMPARISON_HOME = before;
  });

  it("is asked of one stack, until it goes on", () => {
    stopWaiting("one");
    expect([isStopping("one"), isStopping("two")]).toEqual([true, false]);
    goOn("one");
    expect(isStopping("one")).toBe(false);
  });

  it("is not asked by a process that is gone", () => {
    const { pid } = spawnSync("true");
    fs.mkdirSync(path.join(folder, "one"), { recursive: true });
    fs.writeFileSync(path.join(folder, "one", "stopping"), String(pid));
    expect(isStopping("one")).toBe(false);
  });
});
