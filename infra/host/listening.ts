import * as fs from "node:fs";
import { ownProcesses, type Process } from "./processTable";

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
  const inodes = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => {
    try {
      return socketsOn(port, fs.readFileSync(file, "utf8"));
    } catch {
      return [];
    }
  });
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
  return wanted.size === 0 ? undefined : ownProcesses().find(({ pid }) => holds(pid, wanted));
}

function holds(pid: number, links: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return fs.readdirSync(folder).some((descriptor) => {
      try {
        return links.has(fs.readlinkSync(`${folder}/${descriptor}`));
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
