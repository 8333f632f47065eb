import * as fs from "node:fs";
import * as path from "node:path";
import type { Check, Context } from "../contracts/check";
import { size, UserError, wrong } from "../contracts/errors";
import type { Settings } from "../settings/schema";
import { groupLimit } from "./controlGroups";
import { proxies } from "./environment";
import { cacheFolder, checkout, homeFolder, readOr, stackFolder } from "./folders";
import { findJava, findPython } from "./runtimes";

export type StackContext = Context<Settings>;
export type StackCheck = Check<Settings>;

/** A check, with the type of its facts inferred. */
export function check<Facts>(one: Check<Settings, Facts>): StackCheck {
  return one;
}

export const deployed = ({ deployed }: StackContext): boolean => deployed;

/** The command that shows a service's log on a target, for messages. */
export type Logs = (context: Pick<StackContext, "stack">, service: string) => string;

/** The folder or, where it is not made yet, the one that it will be in. */
export function nearestExisting(folder: string): string {
  return fs.existsSync(folder) ? folder : nearestExisting(path.dirname(folder));
}

/** Where things are written to, and what sets it. */
export const writtenFolders = () =>
  [
    { folder: cacheFolder(), variable: "ENGINE_COMPARISON_CACHE" },
    { folder: homeFolder(), variable: "ENGINE_COMPARISON_HOME" },
  ] as const;

export function stackFolders(stack: string): { folder: string; variable: string }[] {
  const [cache, home] = writtenFolders();
  const own = stackFolder(stack);
  return [cache, fs.existsSync(own) ? { ...home, folder: own } : home];
}

export interface Folder {
  readonly folder: string;
  /** What sets it. */
  readonly variable: string;
  /** Whether this user may write there, or where it is going to be. */
  readonly writable: boolean;
}

/** What supervisord's configuration, Java's options or a list of folders has no way to write. */
const odd = /[":\\\p{Cc}]|\s[;#]/u;

/** What supervisord and MinIO take for a pattern or a variable in the names of their own files. */
const pattern = /[*?[{}%]/;

/** @param plain whether services that cannot take every name are started from the folders */
export function unusableFolders(folders: readonly Folder[], plain: boolean): UserError[] {
  return folders.flatMap(({ folder, variable, writable }) => {
    const [found] = odd.exec(folder) ?? (variable && pattern.exec(folder)) ?? [];
    if (plain && found !== undefined) {
      return wrong(
        `the path ${folder} contains ${JSON.stringify(found)}`,
        "services cannot be started from such a path",
        variable === "" ? "move the checkout" : `set ${variable} to a folder with another path`,
      );
    }
    if (writable) return [];
    return wrong(
      `${folder} cannot be written by this user`,
      "stacks and caches are kept there; maybe a command was once run as root, or the disk is read-only",
      `make it yours (sudo chown -R "$USER" ${folder}), or set ${variable} to another folder`,
    );
  });
}

function isWritable(folder: string): boolean {
  try {
    fs.accessSync(nearestExisting(folder), fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param plain as for {@link unusableFolders} */
export const foldersCheck = (plain: boolean) =>
  check({
    id: "folders",
    name: "the folders of caches and stacks can be used",
    blocks: true,
    observe: ({ stack }) => [
      ...stackFolders(stack).map((each) => ({ ...each, writable: isWritable(each.folder) })),
      { folder: checkout, variable: "", writable: true }, // jobs read it
    ],
    judge: (folders) => unusableFolders(folders, plain),
  });

/** What a process may have; Infinity for no bound. */
export type Limits = ReturnType<typeof parseLimits>;

/** Reads /proc/self/limits: the hard limit of files, which the supervisor takes, and the soft ones of others. */
export function parseLimits(text: string) {
  const [, , files] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(text) ?? [];
  const number = (word = "unlimited") => (word === "unlimited" ? Infinity : Number(word));
  const soft = (name: string) => number(new RegExp(`^${name}\\s+(\\S+)`, "m").exec(text)?.[1]);
  return {
    files: number(files),
    processes: soft("Max processes"),
    /** Processes and threads of all in the control group. */
    grouped: Infinity,
    /** Bytes of address space, of data with heap, and of a file. */
    addresses: soft("Max address space"),
    data: soft("Max data size"),
    file: soft("Max file size"),
    /** Seconds of a processor. */
    cpu: soft("Max cpu time"),
  };
}

/** MinIO and Ray keep thousands of files open; a JVM and Ray's parts start hundreds of threads each. */
const minLimit = 4096;

export function tooLowLimits(limits: Limits): UserError[] {
  const { files, processes, grouped, addresses, data, file, cpu } = limits;
  const raise = (item: string) =>
    `raise ${item} for this user to ${minLimit} or more in /etc/security/limits.conf, and log in again`;
  const unlimit = (option: string) =>
    `ulimit -${option} unlimited, or remove the limit for this user from /etc/security/limits.conf`;
  const threads =
    "a JVM and Ray start hundreds: pthread_create failed, unable to create native thread";
  const reserved = "JVMs and Ray reserve much more than they use: could not reserve enough space";
  const low = (limit: number, what: string, why: string, fix: string) =>
    limit < minLimit ? wrong(what, why, fix) : [];
  const bounded = (limit: number, what: string, option: string, why: string) =>
    limit < Infinity ? wrong(`${what} (ulimit -${option})`, why, unlimit(option)) : [];
  const noFiles = "MinIO and Ray need thousands: too many open files";
  const ofUser = `this user may have ${processes} processes and threads (ulimit -u)`;
  const ofGroup = `this session or container may have ${grouped} processes and threads (pids.max)`;
  const cut = "data and logs are cut off: File size limit exceeded";
  const used = "services and long runs are ended by SIGXCPU or SIGKILL when they have used that up";
  const more = "raise it: docker or podman run --pids-limit, Kubernetes' podPidsLimit, TasksMax";
  return [
    ...low(files, `a process may have ${files} open files (ulimit -Hn)`, noFiles, raise("nofile")),
    ...low(processes, ofUser, threads, raise("nproc")),
    ...low(grouped, ofGroup, threads, more),
    ...bounded(addresses, `a process may have addresses for ${size(addresses)}`, "v", reserved),
    ...bounded(data, `a process may have ${size(data)} of data`, "d", reserved),
    ...bounded(file, `a file may have ${size(file)}`, "f", cut),
    ...bounded(cpu, `a process may use a processor for ${cpu} s`, "t", used),
  ];
}

const limitsHere = (): Limits => ({
  ...parseLimits(readOr("/proc/self/limits") ?? ""),
  grouped: groupLimit("pids")?.limit ?? Infinity,
});

/** Whether the services would not even start; with a little more they may, on little data. */
export function startsNothing({ files, processes, grouped, addresses, data, file }: Limits) {
  const fewest = Math.min(files, processes, grouped);
  return fewest < minLimit / 4 || Math.min(addresses, data, file) < Infinity;
}

export const limitsCheck = check({
  id: "limits",
  name: "the user is not limited too much",
  blocks: () => startsNothing(limitsHere()),
  observe: limitsHere,
  judge: tooLowLimits,
});

/** @param given as {@link proxies} has them: those in upper case say the same */
export function unusableProxies({ https_proxy, http_proxy }: ReturnType<typeof proxies>) {
  return Object.entries({ https_proxy, http_proxy }).flatMap(([name, value]): UserError[] => {
    if (!value) return [];
    const [scheme] = /^[a-z\d]+(?=:\/\/)/i.exec(value) ?? ["http"];
    const isHttp = scheme.toLowerCase() === "http";
    const isAddress = URL.canParse(value.includes("://") ? value : `http://${value}`);
    if (isHttp && isAddress) return [];
    return wrong(
      `${name} or all_proxy ${isHttp ? "is not an address" : `names a proxy of ${scheme}`}`,
      "pip, uv, Go and Java download by it, and not all of them know other proxies than of HTTP",
      "set it to http://proxy.example:3128 or unset it; in a password, %23 is a # and %40 an @",
    );
  });
}

/** @param needed whether something must be downloaded */
export const proxyCheck = (needed: Needed) =>
  check({
    id: "proxy",
    name: "downloads can use the proxy",
    blocks: needed,
    observe: async (context) => ((await needed(context)) ? proxies() : {}),
    judge: unusableProxies,
  });

/** Whether something must still be made, for which a tool or room is needed. */
export type Needed = (context: StackContext) => boolean | Promise<boolean>;

export const javaCheck = (blocks: Needed | false) =>
  check({
    id: "jdk",
    name: "there is a full JDK 17 or 21",
    blocks,
    observe: findJava,
  });

/** @param needed whether an environment must be made: one that exists has its interpreter */
export const pythonCheck = (needed: Needed) =>
  check({
    id: "python",
    name: "there is a Python that the lock covers",
    blocks: needed,
    observe: async (context) => (await needed(context)) && findPython(),
  });
