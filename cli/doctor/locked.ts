import * as fs from "node:fs";
import { lockFile } from "../../infra/toolchain/locks";

/** A package of the lock. */
export interface Locked {
  /** Its versions: more than one where they depend on Python's. */
  readonly versions: readonly string[];
  /** Whether every machine gets it. */
  readonly always: boolean;
}

/** A package's name as indexes compare it. */
export function normalised(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, "-");
}

/** Reads lines such as `ray==2.60.0 \` or `colorama==0.4.6 ; sys_platform == 'win32' \`. */
export function parseLock(text: string): Map<string, Locked> {
  const found = new Map<string, Locked>();
  for (const [, name, version, marker] of text.matchAll(/^([\w.-]+)==([^\s;]+)[ \t]*(;.*)?/gm)) {
    const before = found.get(normalised(name));
    found.set(normalised(name), {
      versions: [...(before?.versions ?? []), version],
      always: marker === undefined,
    });
  }
  return found;
}

export function lockedPackages(): Map<string, Locked> {
  return parseLock(fs.readFileSync(lockFile("python"), "utf8"));
}
