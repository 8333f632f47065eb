import * as fs from "node:fs";
import { stackFolder } from "../../infra/host/folders";
import { checkPorts as checkPublished } from "../../infra/targets/docker/place";
import { names } from "../../infra/targets/docker/names";
import { findJava } from "../../infra/host/java";
import { findPython } from "../../infra/host/python";
import { inspect } from "../../infra/targets/local/status";
import { checkPorts, portsNeeded } from "../../infra/targets/local/preflight";
import { unusableFolders } from "../../infra/host/requirements";
import { UserError } from "../../infra/contracts/errors";
import {
  check,
  errorsOf,
  isLocal,
  startsEngines,
  startsJobs,
  type Check,
  type Patient,
} from "./check";
import { surroundings } from "./containers";
import { existing, readOr, writtenFolders } from "./places";

/** A folder that things are written to. */
export interface Folder {
  readonly folder: string;
  /** What sets it. */
  readonly variable: string;
  /** Whether this user may write there, or where it is going to be. */
  readonly writable: boolean;
}

export function unwritable(folders: readonly Folder[]): UserError[] {
  return folders
    .filter(({ writable }) => !writable)
    .map(
      ({ folder, variable }) =>
        new UserError(
          `${folder} cannot be written by this user`,
          "stacks and caches are kept there; maybe a command was once run as root, or the disk is read-only",
          `give it back (sudo chown -R "$USER" ${folder}), or set ${variable} to another folder`,
        ),
    );
}

/** What a process may have; Infinity for no bound. */
export interface Limits {
  readonly files: number;
  readonly processes: number;
}

/** MinIO and Ray keep thousands of files open; a JVM and Ray's parts start hundreds of threads each. */
const leastLimits: Limits = { files: 4096, processes: 4096 };

/** Reads /proc/self/limits: the hard limit of files, which the supervisor takes, and the soft one of threads. */
export function parseLimits(text: string): Limits {
  const [, , files] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(text) ?? [];
  const [, processes] = /^Max processes\s+(\S+)/m.exec(text) ?? [];
  const number = (word: string | undefined) =>
    word === undefined || word === "unlimited" ? Infinity : Number(word);
  return { files: number(files), processes: number(processes) };
}

export function tooLowLimits({ files, processes }: Limits): UserError[] {
  const raise = (item: string, least: number) =>
    `raise ${item} for this user to ${least} or more in /etc/security/limits.conf, and log in again`;
  return [
    ...(files < leastLimits.files
      ? [
          new UserError(
            `a process may have ${files} open files (ulimit -Hn)`,
            "MinIO and Ray need thousands: too many open files",
            raise("nofile", leastLimits.files),
          ),
        ]
      : []),
    ...(processes < leastLimits.processes
      ? [
          new UserError(
            `this user may have ${processes} processes and threads (ulimit -u)`,
            "a JVM and Ray start hundreds: pthread_create failed, unable to create native thread",
            raise("nproc", leastLimits.processes),
          ),
        ]
      : []),
  ];
}

function mayWrite(folder: string): boolean {
  try {
    fs.accessSync(existing(folder), fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** @throws UserError for the first port that is taken */
async function portsFree({ settings, stack }: Patient): Promise<UserError[]> {
  if (settings.target === "local") {
    await checkPorts(stack, portsNeeded(settings, stack, await inspect(stack)), settings);
    return [];
  }
  const { containers } = surroundings(stack).found;
  await checkPublished(settings.portOffset, (role) =>
    Boolean(containers.get(names(stack).container(role))?.running),
  );
  return [];
}

/** What the machine has, or lacks, whatever stack is to stand on it. */
export const machineChecks: readonly Check[] = [
  check({
    id: "folders",
    name: "the folders of caches and stacks can be used",
    observe: ({ stack }) =>
      [...writtenFolders(), { folder: stackFolder(stack), variable: "ENGINE_COMPARISON_HOME" }].map(
        (each) => ({ ...each, writable: mayWrite(each.folder) }),
      ),
    judge: (folders, patient) => [
      ...unwritable(folders),
      ...(startsJobs(patient) ? unusableFolders(folders[0].folder, folders[1].folder) : []),
    ],
  }),
  check({
    id: "limits",
    name: "files and processes are not limited too much",
    applies: isLocal,
    observe: () => parseLimits(readOr("/proc/self/limits") ?? ""),
    judge: tooLowLimits,
  }),
  check({
    id: "jdk",
    name: "there is a full JDK 17 or 21",
    applies: startsJobs,
    observe: () => errorsOf(() => findJava()),
    judge: (errors) => errors,
  }),
  check({
    id: "python",
    name: "there is a Python that the lock covers",
    applies: startsJobs,
    observe: async ({ stack }) =>
      (await inspect(stack)).alive("python") ? [] : errorsOf(() => findPython()),
    judge: (errors) => errors,
  }),
  {
    id: "ports",
    name: "no other program has a port of the stack",
    applies: startsEngines,
    after: ["docker"],
    look: portsFree,
  },
];
