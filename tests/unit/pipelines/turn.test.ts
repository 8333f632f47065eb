import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { goOn, isStopping, stopWaiting } from "../../../pipelines/stopping";
import { takeTurn } from "../../../pipelines/turn";

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "turns-"));
  process.env.ENGINE_COMPARISON_TURNS = folder;
});
afterEach(() => {
  delete process.env.ENGINE_COMPARISON_TURNS;
  fs.rmSync(folder, { recursive: true });
});

/** Takes a turn, notes it, and holds it for a while. */
async function run(rank: number, order: number[], running: { now: number; most: number }) {
  const end = await takeTurn(rank);
  running.most = Math.max(running.most, ++running.now);
  order.push(rank);
  await sleep(50);
  running.now -= 1;
  await end();
}

it("lets runs go one at a time, lowest rank first, whatever order they come in", async () => {
  const order: number[] = [];
  const running = { now: 0, most: 0 };
  await Promise.all([2, 0, 3, 1].map((rank) => run(rank, order, running)));
  expect(order).toEqual([0, 1, 2, 3]);
  expect(running.most).toBe(1);
});

it("passes over the ticket of a process that died", async () => {
  const dead = path.join(folder, "0000-1-1.ticket");
  fs.writeFileSync(dead, "");
  fs.utimesSync(dead, new Date(0), new Date(0));
  const end = await takeTurn(5);
  await end();
  expect(fs.existsSync(dead)).toBe(false);
});

it("leaves nothing behind", async () => {
  const end = await takeTurn(1);
  await end();
  expect(fs.readdirSync(folder)).toEqual([]);
});

it("gives up when the deployment is stopped, and lets the next one go", async () => {
  const end = await takeTurn(0);
  let stopping = false;
  const waiting = takeTurn(1, () => stopping);
  const next = takeTurn(2);
  stopping = true;
  await expect(waiting).rejects.toThrow("stopped before its turn came");
  await end();
  await (
    await next
  )();
  expect(fs.readdirSync(folder)).toEqual([]);
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
    fs.mkdirSync(path.join(folder, "one"));
    fs.writeFileSync(path.join(folder, "one", "stopping"), String(pid));
    expect(isStopping("one")).toBe(false);
  });
});
