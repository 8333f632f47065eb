import { describe, expect, it } from "vitest";
import {
  parseLimits,
  startsNothing,
  tooLowLimits,
  unusableFolders,
  unusableProxies,
} from "../../../infra/host/checks";
import { groupLimit } from "../../../infra/host/controlGroups";
import { proxies } from "../../../infra/host/environment";
import {
  isWsl,
  mountOf,
  unsupported,
  untriedMachine,
  unusableMounts,
  type PlatformFacts,
} from "../../../infra/host/platform";
import {
  loads,
  tooLittleDisk,
  tooLittleMemory,
  tooLittleSharedMemory,
} from "../../../infra/host/room";
import { windowsDrive, wrongWsl } from "../../../infra/host/wsl";
import { unfitDaemon } from "../../../infra/targets/docker/checks";
import { readSettings } from "../../../infra/targets/readSettings";
import { defaultConfig, largeMachine } from "../../defaults";
import { problems } from "./problems";

const gib = 2 ** 30;
const settings = readSettings(defaultConfig({ target: "docker" }), largeMachine);

describe("disk", () => {
  const disk = {
    folder: "/data",
    variable: "ENGINE_COMPARISON_HOME",
    load: loads.runs,
    freeBytes: 8 * gib,
  };

  it.each([
    [{}, ""],
    [{ freeFiles: 1_000_000 }, ""],
    [{ freeBytes: 200 * 2 ** 20 }, "200 MiB is free in /data, and a run takes 1.0 GiB"],
    [{ load: loads.toolchain("cpu") }, ""],
    [
      { load: loads.toolchain("cuda") },
      "8.0 GiB is free in /data, and the toolchain takes 12.0 GiB",
    ],
    [
      { folder: "/tmp", variable: undefined, load: loads.temporary, freeBytes: 2 ** 21 },
      "2 MiB is free in /tmp, and what is temporary takes 256 MiB",
    ],
    [{ freeFiles: 12 }, "only 12 more files can be made in /data"],
  ])("%j", (more, words) => {
    expect(problems(tooLittleDisk([{ ...disk, ...more }]))).toBe(words);
  });
});

describe("memory", () => {
  const group = { free: 0.5 * gib, limit: 2 * gib };

  it.each([
    ["plenty", { free: 4 * gib, served: true }, ""],
    ["a system that does not say", { served: true }, ""],
    ["little for runs", { free: gib / 2, served: true }, "512 MiB of memory is free, and a run"],
    ["little for services", { free: 2 * gib, served: false }, "2.0 GiB of memory is free, and the"],
    ["a limited group", { free: 9 * gib, group, served: true }, "container ends at 2.0 GiB"],
    ["a group with room", { free: 9 * gib, group: { ...group, free: 3 * gib }, served: true }, ""],
  ])("%s", (_, seen, words) => {
    const said = problems(tooLittleMemory(seen, "local"));
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
    expect(groupLimit("memory", (file) => files[file])).toEqual(room);
  });

  it.each([
    ["2", "0::/pod\n", "/sys/fs/cgroup/pod"],
    ["1", "8:pids:/pod\n", "/sys/fs/cgroup/pids/pod"],
  ])("reads how many processes control groups of version %s leave", (_, groups, folder) => {
    const files: Record<string, string> = {
      "/proc/self/cgroup": groups,
      [`${folder}/pids.max`]: "1024\n",
      [`${folder}/pids.current`]: "24\n",
    };
    expect(groupLimit("pids", (file) => files[file])).toEqual({ free: 1000, limit: 1024 });
    const unlimited = { ...files, [`${folder}/pids.max`]: "max\n" };
    expect(groupLimit("pids", (file) => unlimited[file])).toBeUndefined();
  });
});

describe("proxies", () => {
  it.each([
    [
      { all_proxy: "socks5h://127.0.0.1:1080" },
      "https_proxy or all_proxy names a proxy of socks5h",
    ],
    [
      { HTTPS_PROXY: "https://me:pw@proxy:3128" },
      "https_proxy or all_proxy names a proxy of https",
    ],
    [{ https_proxy: "http://me:p#w@proxy:3128" }, "https_proxy or all_proxy is not an address"],
    [
      { https_proxy: "http://proxy:3128", ALL_PROXY: "socks5://proxy" },
      "http_proxy or all_proxy names",
    ],
    [{ https_proxy: "proxy:3128", http_proxy: "http://me:p%23w@[::1]:3128/" }, ""],
    [{}, ""],
  ])("%j", (given: NodeJS.ProcessEnv, words) => {
    const said = problems(unusableProxies(proxies(given)));
    expect(said).not.toMatch(/pw|p#w/);
    if (words === "") expect(said).toBe("");
    else expect(said).toContain(words);
  });
});

describe("shm", () => {
  it.each([
    [gib, ""],
    [undefined, ""],
    [2 ** 26, "/dev/shm has 64m, and rayObjectStoreMemory is 1024m"],
  ])("%s bytes", (bytes, words) => {
    expect(problems(tooLittleSharedMemory({ of: "/dev/shm", bytes }, gib))).toBe(words);
  });
});

describe("limits", () => {
  const text = (files: string, processes: string, rest = "") =>
    `Limit                     Soft Limit           Hard Limit           Units     \n` +
    rest +
    `Max processes             ${processes}                95041                processes \n` +
    `Max open files            1024                 ${files}                 files     \n`;

  it.each([
    [text("1048576", "unlimited"), ""],
    ["", ""],
    [text("256", "95041"), "a process may have 256 open files (ulimit -Hn)"],
    [text("1024", "95041"), "a process may have 1024 open files (ulimit -Hn)"],
    [text("524288", "1000"), "this user may have 1000 processes and threads (ulimit -u)"],
    [
      text("524288", "95041", "Max address space         8589934592  8589934592  bytes\n"),
      "a process may have addresses for 8.0 GiB (ulimit -v)",
    ],
    [
      text("524288", "95041", "Max file size             1073741824  unlimited   bytes\n"),
      "a file may have 1.0 GiB (ulimit -f)",
    ],
    [
      text("524288", "95041", "Max cpu time              1800       unlimited  seconds\n"),
      "a process may use a processor for 1800 s (ulimit -t)",
    ],
    [
      text("524288", "95041", "Max data size             8589934592  unlimited  bytes\n"),
      "a process may have 8.0 GiB of data (ulimit -d)",
    ],
  ])("%j", (limits, words) => {
    expect(problems(tooLowLimits(parseLimits(limits)))).toBe(words);
  });

  it("of a control group are named, too, and stop a deployment", () => {
    const few = { ...parseLimits(""), grouped: 512 };
    expect(problems(tooLowLimits(few))).toBe(
      "this session or container may have 512 processes and threads (pids.max)",
    );
    expect(startsNothing(few)).toBe(true);
    expect(startsNothing({ ...few, grouped: 2048 })).toBe(false);
  });

  it("stop a deployment where no service would start", () => {
    const stops = (limits: string) => startsNothing(parseLimits(limits));
    expect([text("256", "95041"), text("65536", "500")].map(stops)).toEqual([true, true]);
    expect(stops(text("65536", "95041", "Max file size  1000  unlimited  bytes\n"))).toBe(true);
    expect([text("1024", "95041"), text("65536", "95041"), ""].map(stops)).toEqual([
      ...[false, false, false],
    ]);
  });
});

describe("folders", () => {
  const cache = {
    folder: "/home/me/.cache",
    variable: "ENGINE_COMPARISON_CACHE",
    writable: true,
  };
  const home = { ...cache, folder: "/home/me/x y", variable: "ENGINE_COMPARISON_HOME" };

  it.each([
    ["are well", [cache, home], ""],
    ["belong to root", [{ ...cache, writable: false }], "/home/me/.cache cannot be written by"],
    ["have blanks and letters of any language", [{ ...cache, folder: "/Jörg's caches/中#" }], ""],
    ["have a colon", [{ ...cache, folder: "/a:b" }], 'the path /a:b contains ":"'],
    ["are a pattern", [{ ...cache, folder: "/a[b" }], 'the path /a[b contains "["'],
    ["have a percent", [{ ...home, folder: "/a%2Fb" }], 'the path /a%2Fb contains "%"'],
    ["are Jenkins's", [{ ...home, folder: "/a%2Fb", variable: "" }], ""],
    ["have a quote", [{ ...home, folder: '/a"b' }], `the path /a"b contains "\\""`],
    ["begin a comment", [{ ...home, folder: "/a ;b" }], 'the path /a ;b contains " ;"'],
  ])("that %s", (_, folders, words) => {
    const said = problems(unusableFolders(folders, true));
    if (words === "") expect(said).toBe("");
    else expect(said).toContain(words);
  });

  it("may have any name where no service is started from them", () => {
    expect(unusableFolders([{ ...cache, folder: "/a:b" }], false)).toEqual([]);
  });
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
    const said = problems(unfitDaemon(seen, settings, "dev"));
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
    folders: [{ folder: "/home/me/engine-comparison", type: 0xef53 }],
    memoryBytes: 16 * gib,
  };
  const onWindows = [{ folder: "/mnt/c/Users/me/engine-comparison", type: windowsDrive }];

  it.each([
    ["is none", { version: linux, folders: onWindows, memoryBytes: gib }, ""],
    ["is well", {}, ""],
    [
      "has its checkout on a drive of Windows",
      { folders: onWindows },
      "/mnt/c/Users/me/engine-comparison is on a drive of Windows",
    ],
    [
      "has half of a small machine",
      { memoryBytes: 4 * gib },
      "WSL2 has 4.0 GiB of memory (by default half of Windows'), and runMemory is 6.0 GiB",
    ],
    [
      "has the memory of .wslconfig",
      { memoryBytes: 2 * gib, config: "[wsl2]\r\nmemory=2GB # little\r\nswap=0\r\n" },
      "WSL2 has 2.0 GiB of memory (.wslconfig says memory=2GB), and runMemory is 6.0 GiB",
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
    expect(problems(wrongWsl({ ...seen, ...more }, settings))).toBe(words);
  });

  it("is told by the kernel's version", () => {
    expect([wsl2, wsl1, linux].map(isWsl)).toEqual([true, true, false]);
  });
});

describe("a platform", () => {
  const wsl1 = "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com) #1237-Microsoft";
  const wsl2 = "Linux version 5.15.153.1-microsoft-standard-WSL2 (root@941d701f84f1)";
  const debian = "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)";

  it.each<[string, Partial<PlatformFacts>, string]>([
    ["Debian", {}, ""],
    ["WSL2", { kernel: wsl2 }, ""],
    ["Linux on another processor", { processor: "arm64" }, ""],
    ["WSL1", { kernel: wsl1 }, "WSL1 is not supported"],
    ["macOS", { system: "darwin", glibc: undefined }, "macOS is not supported"],
    ["Windows", { system: "win32", glibc: undefined }, "Windows is not supported"],
    ["FreeBSD", { system: "freebsd" }, "freebsd is not supported"],
    ["a mainframe", { processor: "s390x" }, "Linux on s390x is not supported"],
    ["Alpine", { glibc: undefined }, "there is no glibc"],
    ["CentOS 7", { glibc: "2.17" }, "glibc 2.17 is too old: 2.28 or later is needed"],
  ])("such as %s is judged", (_, facts, words) => {
    const machine = { system: "linux", kernel: debian, processor: "x64", glibc: "2.36", ...facts };
    expect(unsupported(machine)?.[0] ?? "").toBe(words);
  });
});

describe("mounts", () => {
  const table = [
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
    "30 22 0:25 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw",
    "31 22 0:26 / /home rw - nfs4 server:/home rw",
    "32 22 8:17 / /mnt/my\\040disk rw - exfat /dev/sdb1 rw",
    "33 22 8:18 / /opt rw,noexec - ext4 /dev/sdc1 rw",
    "34 22 8:19 / /opt rw - ext4 /dev/sdd1 rw",
  ].join("\n");
  const at = (folder: string) => ({ folder, variable: "V", mount: mountOf(folder, table) });

  it.each([
    ["/srv/data", ""],
    ["/tmpfiles", ""],
    ["/opt/ours", ""],
    ["/home/me", ""],
    ["/tmp/ours", "/tmp/ours is on a file system that is mounted noexec"],
    ["/mnt/my disk/x", "/mnt/my disk/x is on a file system of type exfat"],
  ])("of %s", (folder, words) => {
    expect(problems(unusableMounts([at(folder)]))).toBe(words);
  });

  it("are not looked at where the system does not say them", () => {
    expect(unusableMounts([{ folder: "/x", variable: "V", mount: mountOf("/x", "") }])).toEqual([]);
  });

  it("on a network, an old processor and another one are said to be untried", () => {
    const old = "processor\t: 0\nflags\t\t: fpu sse4_2 avx bmi2\n";
    const facts = { processor: "x64", cpuinfo: "flags\t\t: avx2 bmi2 fma movbe\n", folders: [] };
    expect(untriedMachine(facts)).toEqual([]);
    expect(problems(untriedMachine({ ...facts, cpuinfo: old }))).toBe(
      "the processor has no avx2, fma, movbe",
    );
    expect(problems(untriedMachine({ ...facts, processor: "arm64", cpuinfo: "" }))).toBe(
      "Linux on arm64 is untried",
    );
    expect(problems(untriedMachine({ ...facts, folders: [at("/home/me")] }))).toBe(
      "/home/me is on a network file system (nfs4)",
    );
  });
});
