import * as path from "node:path";

/** Reads a file of the system's; undefined where there is none. */
export type Read = (file: string) => string | undefined;

/** What a control group leaves to its processes. */
export interface Room {
  /** Bytes that may be had, with the file cache that would be dropped. */
  readonly free: number;
  readonly limit: number;
}

/** No limit is written as `max`, or by version 1 as a number that no machine has. */
const unlimited = 2 ** 60;

/**
 * The memory that the control groups of this process leave to it: those of a container, or of a
 * user's session; undefined where none has a limit.
 */
export function memoryRoom(read: Read): Room | undefined {
  const groups = read("/proc/self/cgroup") ?? "";
  const version2 = /^0::(\/.*)$/m.exec(groups)?.[1];
  const version1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1];
  const rooms = [
    ...ancestors(version2).map((group) =>
      roomOf(read, path.join("/sys/fs/cgroup", group), {
        limit: "memory.max",
        usage: "memory.current",
        cache: "inactive_file",
      }),
    ),
    ...ancestors(version1).map((group) =>
      roomOf(read, path.join("/sys/fs/cgroup/memory", group), {
        limit: "memory.limit_in_bytes",
        usage: "memory.usage_in_bytes",
        cache: "total_inactive_file",
      }),
    ),
  ].flatMap((room) => room ?? []);
  return rooms.sort((a, b) => a.free - b.free)[0];
}

/** `/a/b`, `/a` and `/`: each may have a limit. Inside a container only the last is to be seen. */
function ancestors(group: string | undefined): string[] {
  if (group === undefined) return [];
  return group === "/" ? ["/"] : [group, ...ancestors(path.dirname(group))];
}

function roomOf(
  read: Read,
  folder: string,
  files: { readonly limit: string; readonly usage: string; readonly cache: string },
): Room | undefined {
  const limit = Number(read(path.join(folder, files.limit)));
  const usage = Number(read(path.join(folder, files.usage)));
  if (!(limit < unlimited) || Number.isNaN(usage)) return undefined;
  const stat = read(path.join(folder, "memory.stat")) ?? "";
  const cache = Number(new RegExp(`^${files.cache} (\\d+)$`, "m").exec(stat)?.[1] ?? 0);
  return { free: Math.max(0, limit - usage + cache), limit };
}
