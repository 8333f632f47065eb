import * as fs from "node:fs";
import * as os from "node:os";
import { wrong, type UserError } from "../contracts/errors";
import { check, nearestExisting, stackFolders, type StackContext } from "./checks";
import { attempt, readOr } from "./folders";

/** What a machine is, before anything is asked of it. */
export interface PlatformFacts {
  readonly system: string;
  /** The text of /proc/version. */
  readonly kernel: string;
  readonly processor: string;
  /** Undefined with another libc. */
  readonly glibc?: string;
}

// eslint-disable-next-line @typescript-eslint/no-require-imports -- it has no types
export const { isWsl, kernelVersion, platformFacts, unsupported } = require("./supported.cjs") as {
  isWsl: (version: string) => boolean;
  kernelVersion: () => string;
  platformFacts: () => PlatformFacts;
  unsupported: (facts: PlatformFacts) => Parameters<typeof wrong> | undefined;
};

export const platformCheck = check({
  id: "platform",
  name: "the system, its processor and its libc are supported",
  blocks: true,
  observe: platformFacts,
  judge(facts) {
    const trouble = unsupported(facts);
    return trouble ? wrong(...trouble) : [];
  },
});

/** @param isKnown whether passwd has a line for the user */
export function unknownUser({ uid, isKnown }: { uid?: number; isKnown: boolean }): UserError[] {
  if (isKnown) return [];
  return wrong(
    `the user ${uid} has no line in /etc/passwd`,
    "Hadoop, and so Spark, ends without one: Invalid UID, could not determine effective user",
    `add one: useradd --uid ${uid} me (in a container's image), or ` +
      'echo "me:x:$(id -u):$(id -g)::$HOME:/bin/sh" >>/etc/passwd where the file may be written',
  );
}

export const userCheck = check({
  id: "user",
  name: "passwd knows this user",
  blocks: true,
  after: ["platform"],
  observe: () => ({
    uid: process.getuid?.(),
    isKnown: attempt(() => os.userInfo()) !== undefined,
  }),
  judge: unknownUser,
});

export interface Mount {
  readonly type: string;
  readonly options: readonly string[];
}

/**
 * The mount that a folder is in.
 *
 * @param table the text of /proc/self/mountinfo (proc_pid_mountinfo(5))
 */
export function mountOf(folder: string, table: string): Mount | undefined {
  let found: (Mount & { readonly point: string }) | undefined;
  for (const line of table.split("\n")) {
    const [mount, fileSystem] = line.split(" - ");
    if (fileSystem === undefined) continue;
    const fields = mount.split(" ");
    const point = fields[4].replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(parseInt(octal, 8)),
    );
    const inside = folder === point || folder.startsWith(point.endsWith("/") ? point : `${point}/`);
    // Of two at one point, the later one hides the other.
    if (inside && point.length >= (found?.point.length ?? 0)) {
      found = { point, type: fileSystem.split(" ")[0], options: fields[5].split(",") };
    }
  }
  return found;
}

/** A folder that things are written to, and its file system. */
export type MountedFolder = ReturnType<typeof stackFolders>[number] & { readonly mount?: Mount };

/** File systems of other worlds, or of hosts of virtual machines. */
const withoutLinks =
  /^(vfat|msdos|exfat|ntfs3?|fuseblk|cifs|smb3?|vboxsf|fuse\.vmhgfs-fuse|prl_fs)$/;

export function unusableMounts(folders: readonly MountedFolder[]): UserError[] {
  return folders.flatMap(({ folder, variable, mount }) => {
    const elsewhere = `set ${variable} to a folder on a Linux file system such as ext4 or xfs`;
    if (mount && withoutLinks.test(mount.type)) {
      return wrong(
        `${folder} is on a file system of type ${mount.type}`,
        "it has no links, no sockets, or no modes that keep secrets from others",
        elsewhere,
      );
    }
    if (!mount?.options.includes("noexec")) return [];
    return wrong(
      `${folder} is on a file system that is mounted noexec`,
      "programs and native libraries, such as Spark's codecs, are loaded from there",
      `mount it with exec, or ${elsewhere}`,
    );
  });
}

function mountedFolders({ stack }: StackContext): MountedFolder[] {
  const table = readOr("/proc/self/mountinfo") ?? "";
  return stackFolders(stack).map(({ folder, variable }) => {
    return { folder, variable, mount: mountOf(fs.realpathSync(nearestExisting(folder)), table) };
  });
}

export const mountsCheck = check({
  id: "mounts",
  name: "programs can be run from the folders of caches and stacks",
  blocks: true,
  after: ["platform"],
  observe: (context) => context.facts(mountedFolders),
  judge: unusableMounts,
});

const network = /^(nfs4?|fuse\.sshfs|afs|lustre|gpfs|beegfs|ceph|fuse\.ceph|fuse\.glusterfs)$/;

/** What the locked builds of Polars, Daft and DataFusion use where it exists: that of x86-64-v3. */
const features = ["avx2", "bmi2", "fma", "movbe"];

/** What may work, and nobody has tried. */
export function untriedMachine(facts: ReturnType<typeof untriedFacts>): UserError[] {
  const { processor, cpuinfo, folders } = facts;
  const flags = /^flags\s*:\s*(.*)$/m.exec(cpuinfo)?.[1].split(" ");
  const missing = processor === "x64" && flags ? features.filter((f) => !flags.includes(f)) : [];
  const another = wrong(
    `Linux on ${processor} is untried`,
    "some packages may have no build for it, and results are not comparable with those of x86-64",
    "use a machine with an x86-64 processor if something fails",
  );
  const old = wrong(
    `the processor has no ${missing.join(", ")}`,
    "engines may end with SIGILL, or compute by slower code",
    "use a processor of x86-64-v3, or let the virtual machine have the host's (cpu: host)",
  );
  return [
    ...(processor === "x64" ? [] : another),
    ...(missing.length === 0 ? [] : old),
    ...folders.flatMap(({ folder, variable, mount }) => {
      if (!mount || !network.test(mount.type)) return [];
      return wrong(
        `${folder} is on a network file system (${mount.type})`,
        "MinIO's makers do not support it, it is slow, and locks may not hold",
        `set ${variable} to a folder on a local disk`,
      );
    }),
  ];
}

export const untriedFacts = (context: StackContext) => ({
  processor: process.arch as string,
  /** The text of /proc/cpuinfo. */
  cpuinfo: readOr("/proc/cpuinfo") ?? "",
  folders: context.facts(mountedFolders),
});

export const untriedCheck = check({
  id: "untried",
  name: "the stack was tried on machines like this one",
  blocks: false,
  after: ["platform"],
  observe: untriedFacts,
  judge: untriedMachine,
});
