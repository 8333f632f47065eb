import * as path from "node:path";
import { readOr } from "./folders";

/** The files of a group, in version 2 and in version 1: its limit, its usage, and what of that is cache. */
const files = {
  memory: [
    ["memory.max", "memory.current", "inactive_file"],
    ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"],
  ],
  pids: [
    ["pids.max", "pids.current"],
    ["pids.max", "pids.current"],
  ],
} as const;

/** No limit is written as `max`, or by version 1 as a number that no machine has. */
const unlimited = 2 ** 60;

/**
 * The memory in bytes, or the number of processes and threads, that the control groups of this process
 * leave to it: those of a container, or of a user's session.
 *
 * @returns of the group with the least; `free` has the file cache that would be dropped. Undefined where
 *   none has a limit
 */
export function groupLimit(controller: keyof typeof files, read: typeof readOr = readOr) {
  const groups = read("/proc/self/cgroup") ?? "";
  const version2 = /^0::(\/.*)$/m.exec(groups)?.[1];
  const ofVersion1 = new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(/.*)$`, "m");
  const version1 = ofVersion1.exec(groups)?.[1];
  const leftIn = (folder: string, version: 0 | 1) => {
    const [limitFile, usageFile, cached] = files[controller][version];
    const limit = Number(read(path.join(folder, limitFile)));
    const usage = Number(read(path.join(folder, usageFile)));
    if (!(limit < unlimited) || Number.isNaN(usage)) return [];
    const stat = cached && read(path.join(folder, "memory.stat"));
    const cache = Number(new RegExp(`^${cached} (\\d+)$`, "m").exec(stat ?? "")?.[1] ?? 0);
    return [{ free: Math.max(0, limit - usage + cache), limit }];
  };
  return [
    ...ancestors(version2).flatMap((group) => leftIn(path.join("/sys/fs/cgroup", group), 0)),
    ...ancestors(version1).flatMap((group) =>
      leftIn(path.join("/sys/fs/cgroup", controller, group), 1),
    ),
  ]
    .sort((a, b) => a.free - b.free)
    .at(0);
}

/** `/a/b`, `/a` and `/`: each may have a limit. Inside a container only the last is to be seen. */
function ancestors(group: string | undefined): string[] {
  if (group === undefined) return [];
  return group === "/" ? ["/"] : [group, ...ancestors(path.dirname(group))];
}
