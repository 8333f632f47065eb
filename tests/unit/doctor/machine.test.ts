import { describe, expect, it } from "vitest";
import { memoryRoom } from "../../../cli/doctor/cgroup";
import { unfitDaemon } from "../../../cli/doctor/docker";
import { parseLimits, tooLowLimits, unwritable } from "../../../cli/doctor/machine";
import { tooLittleDisk, tooLittleMemory, tooLittleSharedMemory } from "../../../cli/doctor/room";
import { fileSystemOf, isWsl, wslTrouble } from "../../../cli/doctor/wsl";
import { readSettings } from "../../../infra/targets/readSettings";
import { defaultConfig, largeMachine } from "../../defaults";
import { told } from "./told";

const gib = 2 ** 30;
const settings = readSettings(defaultConfig({ target: "docker" }), largeMachine);

describe("disk", () => {
  const disk = { folder: "/data", variable: "ENGINE_COMPARISON_HOME", freeBytes: 9 * gib };

  it.each([
    [{}, ""],
    [{ freeFiles: 1_000_000 }, ""],
    [{ freeBytes: 200 * 2 ** 20 }, "200 MiB is free in /data, and 1.0 GiB should be"],
    [{ freeFiles: 12 }, "only 12 more files can be made in /data"],
  ])("%j", (more, words) => {
    expect(told(tooLittleDisk([{ ...disk, ...more }]))).toBe(words);
  });
});

describe("memory", () => {
  const group = { free: 0.5 * gib, limit: 2 * gib };

  it.each([
    ["plenty", { free: 4 * gib, serviced: true }, ""],
    ["a system that does not say", { serviced: true }, ""],
    ["little for runs", { free: gib / 2, serviced: true }, "512 MiB of memory is free, and a run"],
    [
      "little for services",
      { free: 2 * gib, serviced: false },
      "2.0 GiB of memory is free, and the",
    ],
    ["a limited group", { free: 9 * gib, group, serviced: true }, "container ends at 2.0 GiB"],
    [
      "a group with room",
      { free: 9 * gib, group: { ...group, free: 3 * gib }, serviced: true },
      "",
    ],
  ])("%s", (_, seen, words) => {
    const said = told(tooLittleMemory(seen, "local"));
    if (words === "") expect(said).toBe("");
    else expect(said).toContain(words);
  });

  const version2 = {
    "/proc/self/cgroup": "0::/user.slice/session\n",
    "/sys/fs/cgroup/user.slice/memory.max": `${4 * gib}\n`,
    "/sys/fs/cgroup/user.slice/memory.current": `${3 * gib}\n`,
    "/sys/fs/cgroup/user.slice/memory.stat": `anon 1\ninactive_file ${gib / 2}\n`,
    "/sys/fs/cgroup/user.slice/session/memory.max": "max\n",
    "/sys/fs/cgroup/user.slice/session/memory.current": `${gib}\n`,
  };
  const version1 = {
    "/proc/self/cgroup": "9:name=systemd:/\n4:memory:/docker/abc\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${2 * gib}\n`,
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": `${gib}\n`,
    "/sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0\n",
  };
  const none = {
    ...version1,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
  };

  it.each<[string, Record<string, string>, unknown]>([
    ["version 2, of the session's parent", version2, { free: 1.5 * gib, limit: 4 * gib }],
    ["version 1, inside a container", version1, { free: gib, limit: 2 * gib }],
    ["no limit", none, undefined],
    ["no control groups", {}, undefined],
  ])("reads the room of control groups: %s", (_, files, room) => {
    expect(memoryRoom((file) => files[file])).toEqual(room);
  });
});

describe("shm", () => {
  it.each([
    [gib, ""],
    [undefined, ""],
    [2 ** 26, "/dev/shm has 64m, and Ray's object store is to have 1024m"],
  ])("%s bytes", (bytes, words) => {
    expect(told(tooLittleSharedMemory({ of: "/dev/shm", bytes }, gib))).toBe(words);
  });
});

describe("limits", () => {
  const text = (files: string, processes: string) =>
    `Limit                     Soft Limit           Hard Limit           Units     \n` +
    `Max processes             ${processes}                95041                processes \n` +
    `Max open files            1024                 ${files}                 files     \n`;

  it.each([
    [text("1048576", "unlimited"), ""],
    ["", ""],
    [text("1024", "95041"), "a process may have 1024 open files (ulimit -Hn)"],
    [text("524288", "1000"), "this user may have 1000 processes and threads (ulimit -u)"],
  ])("%j", (limits, words) => {
    expect(told(tooLowLimits(parseLimits(limits)))).toBe(words);
  });
});

it("folders: one that root has", () => {
  const folder = { folder: "/home/me/.cache", variable: "ENGINE_COMPARISON_CACHE" };
  expect(told(unwritable([{ ...folder, writable: true }]))).toBe("");
  expect(told(unwritable([{ ...folder, writable: false }]))).toBe(
    "/home/me/.cache cannot be written by this user",
  );
});

describe("docker", () => {
  const info = { ID: "one", ServerVersion: "28.2.2", OSType: "linux", NCPU: 4, MemTotal: 32 * gib };
  const host = "unix:///var/run/docker.sock";

  it.each([
    [{}, undefined, ""],
    [{ ServerVersion: "20.10.24+dfsg1" }, undefined, ""],
    [{ ServerVersion: "19.03.8" }, undefined, "is 19.03.8, and 20.10 or later is needed"],
    [{ OSType: "windows" }, undefined, "runs windows containers"],
    [{ MemTotal: 3 * gib }, undefined, "but the Docker daemon has 3072 MiB"],
    [
      {},
      { host: "unix:///other.sock", id: "two" },
      "stack dev is on the Docker daemon unix:///other",
    ],
  ])("%j", (more, recorded, words) => {
    const seen = { host, info: { ...info, ...more }, recorded };
    const said = told(unfitDaemon(seen, settings, "dev"));
    if (words === "") expect(said).toBe("");
    else expect(said).toContain(words);
  });
});

describe("wsl", () => {
  const wsl2 =
    "Linux version 5.15.153.1-microsoft-standard-WSL2 (root@941d701f84f1) (gcc 11.2.0) #1 SMP";
  const wsl1 = "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com) #1237-Microsoft";
  const linux = "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)";
  const seen = {
    version: wsl2,
    folders: [{ folder: "/home/me/engine-comparison", type: "ext4" }],
    memoryBytes: 16 * gib,
  };
  const onWindows = [{ folder: "/mnt/c/Users/me/engine-comparison", type: "9p" }];

  it.each([
    ["is none", { version: linux, folders: onWindows, memoryBytes: gib }, ""],
    ["is well", {}, ""],
    ["is WSL1", { version: wsl1 }, "this is WSL1, which is no Linux kernel"],
    [
      "has its checkout on a drive of Windows",
      { folders: onWindows },
      "/mnt/c/Users/me/engine-comparison is on a drive of Windows",
    ],
    [
      "has half of a small machine",
      { memoryBytes: 4 * gib },
      "WSL2 has 4.0 GiB of memory (by default half of Windows'), and a run may take 6.0 GiB",
    ],
    [
      "has the memory of .wslconfig",
      { memoryBytes: 2 * gib, config: "[wsl2]\r\nmemory=2GB # little\r\nswap=0\r\n" },
      "WSL2 has 2.0 GiB of memory (.wslconfig says memory=2GB), and a run may take 6.0 GiB",
    ],
    [
      "forwards no port to Windows",
      { config: "[wsl2]\nlocalhostForwarding = false\n[experimental]\n" },
      ".wslconfig says localhostForwarding=false",
    ],
    [
      "mirrors the network, where that option counts for nothing",
      { config: "[wsl2]\nnetworkingMode=mirrored\nlocalhostForwarding=false\n" },
      "",
    ],
    ["has the option elsewhere", { config: "[experimental]\nlocalhostForwarding=false\n" }, ""],
    [
      "has no network",
      { config: "[wsl2]\nnetworkingMode=none\n" },
      ".wslconfig says networkingMode=none",
    ],
  ])("that %s", (_, more, words) => {
    expect(told(wslTrouble({ ...seen, ...more }, settings))).toBe(words);
  });

  it("is told by the kernel's version, and drives by what is mounted", () => {
    expect([wsl2, wsl1, linux].map(isWsl)).toEqual([true, true, false]);
    const mounts = [
      "/dev/sdc / ext4 rw,relatime 0 0",
      "C:\\134 /mnt/c 9p rw,noatime,aname=drvfs 0 0",
      "tmpfs /mnt/c/odd\\040name tmpfs rw 0 0",
    ].join("\n");
    expect(fileSystemOf("/home/me", mounts)).toBe("ext4");
    expect(fileSystemOf("/mnt/c/Users/me", mounts)).toBe("9p");
    expect(fileSystemOf("/mnt/cd", mounts)).toBe("ext4");
    expect(fileSystemOf("/mnt/c/odd name/x", mounts)).toBe("tmpfs");
  });
});
