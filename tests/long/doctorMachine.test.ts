/**
 * What a machine lacks, made for real: small and read-only file systems in a mount namespace of
 * their own, a control group with little memory, low limits. `npm run doctor` shows each, for a
 * stack that is not deployed. What this machine or user may not do is skipped, with the reason.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { makeOwnFolders, ownEnvironment } from "../../infra/host/environment";
import { cacheFolder, namesIn } from "../../infra/host/folders";
import { findJava } from "../../infra/host/runtimes";
import { freeOffset } from "../e2e/stack";
import { doctor, type Diagnosis } from "./diagnosis";

/** Below the ports that outgoing connections take. */
const portOffset = freeOffset(18_600);

vi.setConfig({ testTimeout: 120_000 });

let root: string;
beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "ec-machine-"));
  fs.mkdirSync(path.join(root, "home", "bare"), { recursive: true });
  fs.writeFileSync(
    path.join(root, "home", "bare", "Pulumi.bare.yaml"),
    `config:\n  engine-comparison:portOffset: ${portOffset}\n  engine-comparison:gpu: "off"\n`,
  );
});
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

function look(env: NodeJS.ProcessEnv = {}, ...inside: string[]): Promise<Diagnosis> {
  const home = path.join(root, "home");
  return doctor(["--stack", "bare"], { ENGINE_COMPARISON_HOME: home, ...env }, inside);
}

/** Runs a command after `script`, in a mount namespace of its own. */
const mounted = (script: string) =>
  ["unshare", "--mount", "sh", "-c", `${script} && exec "$@"`, "sh"] as const;

const mayMount =
  spawnSync("unshare", ["--mount", "mount", "-t", "tmpfs", "none", os.tmpdir()]).status === 0;

/** The jars of a pyspark in the caches. */
const jars = namesIn(path.join(cacheFolder(), "python"))
  .map((key) => path.join(cacheFolder(), "python", key, "lib"))
  .flatMap((lib) => namesIn(lib).map((python) => path.join(lib, python)))
  .map((python) => path.join(python, "site-packages", "pyspark", "jars"))
  .find((folder) => fs.existsSync(folder));

describe(`file systems${mayMount ? "" : " (skipped: this user may not mount)"}`, () => {
  const test = mayMount ? it : it.skip;

  test("disk: a full one", async () => {
    const said = await look({}, ...mounted(`mount -t tmpfs -o size=64m none ${root}/home`));
    expect(said.code).toBe(1);
    expect(said.wrong).toEqual({
      disk: [`64 MiB is free in ${root}/home/bare, and a stack takes 2.0 GiB`],
    });
  });

  test("disk: one without inodes", async () => {
    const mount = `mount -t tmpfs -o size=3g,nr_inodes=100 none ${root}/home`;
    const said = await look({}, ...mounted(mount));
    expect(said.code).toBe(1);
    expect(said.wrong).toEqual({
      disk: [expect.stringMatching(`^only \\d+ more files can be made in ${root}/home/bare$`)],
    });
  });

  test("folders: one that is read-only", async () => {
    const mount = `mount -t tmpfs -o ro,size=3g none ${root}/home`;
    const said = await look({}, ...mounted(mount));
    expect(said.code).toBe(1);
    expect(said.wrong.folders?.[0]).toBe(`${root}/home cannot be written by this user`);
  });

  test("mounts: one that runs no programs", async () => {
    const mount = `mount -t tmpfs -o noexec,size=3g none ${root}/home`;
    const said = await look({}, ...mounted(mount));
    expect(said.code).toBe(1);
    expect(said.wrong.mounts).toEqual([`${root}/home is on a file system that is mounted noexec`]);
  });

  it.skipIf(!mayMount || !jars)("JVMs unpack their libraries where /tmp runs no programs", () => {
    const all = fs.mkdtempSync("/var/tmp/ec-machine-");
    try {
      const file = path.join(all, "Unpacks.java");
      const unpack =
        'org.xerial.snappy.Snappy.compress(""); com.github.luben.zstd.Zstd.compress(new byte[1]);';
      const main = `public static void main(String[] args) throws Exception { ${unpack} }`;
      fs.writeFileSync(file, `public class Unpacks { ${main} }`);
      const [program, ...args] = mounted(
        "mount --bind /tmp /tmp && mount -o remount,bind,noexec /tmp",
      );
      const java = path.join(findJava().home, "bin", "java");
      const run = (env: NodeJS.ProcessEnv) =>
        spawnSync(program, [...args, java, "-cp", `${jars}/*`, file], { env, encoding: "utf8" });
      expect(run({ PATH: process.env.PATH }).stderr).toContain("UnsatisfiedLinkError");
      const folders = { home: path.join(all, "home"), temporary: path.join(all, "tmp") };
      const { status, stderr } = run(ownEnvironment(makeOwnFolders(folders)));
      expect(status, stderr).toBe(0);
    } finally {
      fs.rmSync(all, { recursive: true, force: true });
    }
  });

  test("shm: a small one", async () => {
    const said = await look({}, ...mounted("mount -t tmpfs -o size=64m none /dev/shm"));
    expect(said.code).toBe(1);
    expect(said.wrong).toEqual({
      shm: ["/dev/shm has 64m, and rayObjectStoreMemory is 1024m"],
    });
  });
});

/** The files of a limit by which a group's folder is known, in version 1 or 2 of the interface. */
const limits = {
  memory: [
    ["/sys/fs/cgroup/memory", "memory.limit_in_bytes"],
    ["/sys/fs/cgroup", "memory.max"],
  ],
  pids: [
    ["/sys/fs/cgroup/pids", "pids.max"],
    ["/sys/fs/cgroup", "pids.max"],
  ],
} as const;

/** A control group with a limit; undefined where none can be made. */
function limitedGroup(controller: keyof typeof limits, value: number): string | undefined {
  for (const [hierarchy, limit] of limits[controller]) {
    const group = path.join(hierarchy, `ec-doctor-${process.pid}-${controller}`);
    try {
      fs.mkdirSync(group);
      fs.writeFileSync(path.join(group, limit), String(value));
      return group;
    } catch {
      fs.rmSync(group, { recursive: true, force: true });
    }
  }
  return undefined;
}

const little = limitedGroup("memory", 700 * 2 ** 20);
const few = limitedGroup("pids", 600);

describe(`control groups${little && few ? "" : " (skipped: none can be made)"}`, () => {
  afterAll(() => {
    for (const group of [little, few]) if (group) fs.rmdirSync(group);
  });

  const entering = (group: string) =>
    ["sh", "-c", `echo $$ >${group}/cgroup.procs && exec "$@"`, "sh"] as const;

  it.skipIf(!little)("memory: a group with little", async () => {
    const said = await look({}, ...entering(little!));
    expect(said.code).toBe(1);
    expect(said.wrong).toEqual({
      memory: [
        expect.stringMatching(
          "of memory is free, and the services take .*: the control group of this session or container ends at 700 MiB$",
        ),
      ],
    });
  });

  it.skipIf(!few)("limits: a group with few processes", async () => {
    const said = await look({}, ...entering(few!));
    expect(said.code).toBe(1);
    expect(said.wrong).toEqual({
      limits: ["this session or container may have 600 processes and threads (pids.max)"],
    });
  });
});

it("limits: few open files", async () => {
  const said = await look({}, "sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh");
  expect(said.code).toBe(1);
  expect(said.wrong).toEqual({ limits: ["a process may have 1024 open files (ulimit -Hn)"] });
});

it("folders: a name that services cannot be started with", async () => {
  const said = await look({ ENGINE_COMPARISON_CACHE: path.join(root, "my:caches") });
  expect(said.code).toBe(1);
  expect(said.wrong.folders).toEqual([`the path ${root}/my:caches contains ":"`]);
});
