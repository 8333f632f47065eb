import * as fs from "node:fs";
import { attempt, namesIn, readOr } from "./folders";

/** One process as /proc tells of it. */
export type Process = ReturnType<typeof ownProcesses>[number];

/** When a process started, in clock ticks since boot: with the pid it names one process for ever. */
export function startOf(pid: number): string {
  return stat(pid)?.start ?? "";
}

/** Whether the process that started at `start` still runs; a zombie does not. Of any user. */
export function runs(pid: number, start: string): boolean {
  const found = stat(pid);
  if (!found) return isHidden(pid);
  return found.start === start && found.state !== "Z" && found.state !== "X";
}

/** Whether a process was stopped by a signal, as by Ctrl-Z. */
export function isStopped(pid: number): boolean {
  return stat(pid)?.state === "T";
}

/** Whether a process runs now; a zombie does not. Of any user. */
export function isAlive(pid: number): boolean {
  return runs(pid, startOf(pid));
}

/** Another user's process where /proc is mounted with `hidepid`. */
function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false; // our own are not hidden: it started only now
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function stat(pid: number | string) {
  const text = readOr(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name is in brackets and may hold anything, brackets and spaces too.
  const end = text.lastIndexOf(")");
  const fields = text.slice(end + 2).split(" ");
  return {
    name: text.slice(text.indexOf("(") + 1, end),
    state: fields[0],
    parent: Number(fields[1]),
    start: fields[19],
  };
}

/** All processes of this user, but for zombies. Where there is no /proc the list is empty. */
export function ownProcesses() {
  const uid = process.getuid?.();
  const entries = namesIn("/proc").filter((entry) => /^\d+$/.test(entry));
  return entries.flatMap((entry) => {
    if (attempt(() => fs.statSync(`/proc/${entry}`).uid) !== uid) return [];
    const found = stat(entry);
    if (!found || found.state === "Z" || found.state === "X") return [];
    return [{ pid: Number(entry), parent: found.parent, name: found.name }];
  });
}

/** One variable of the environment that a process was started with. */
export function startedWith(pid: number, variable: string): string | undefined {
  const all = readOr(`/proc/${pid}/environ`)?.split("\0") ?? [];
  return all.find((entry) => entry.startsWith(`${variable}=`))?.slice(variable.length + 1);
}

/** `roots` and all that descends from them. */
export function withDescendants(roots: readonly number[], table: readonly Process[]): number[] {
  const children = new Map<number, number[]>();
  for (const { pid, parent } of table) {
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = new Set<number>();
  const visit = (pid: number): void => {
    if (found.has(pid)) return;
    found.add(pid);
    children.get(pid)?.forEach(visit);
  };
  roots.forEach(visit);
  return [...found];
}

const listening = "0A";

/** Inodes of the sockets that listen on `port`, out of the text of /proc/net/tcp or tcp6. */
export function socketsOn(port: number, table: string): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hex}`) && fields[3] === listening)
    .map((fields) => fields[9]);
}

/** The process of this user that listens on `port`; other users' are not to be seen. */
export function whoListens(port: number): Process | undefined {
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].map((file) => readOr(file) ?? "");
  const inodes = tables.flatMap((table) => socketsOn(port, table));
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
  return wanted.size === 0 ? undefined : ownProcesses().find(({ pid }) => holds(pid, wanted));
}

function holds(pid: number, links: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  const targetOf = (descriptor: string) =>
    attempt(() => fs.readlinkSync(`${folder}/${descriptor}`)) ?? "";
  return namesIn(folder).some((descriptor) => links.has(targetOf(descriptor)));
}
