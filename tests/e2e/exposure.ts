import * as fs from "node:fs";
import * as path from "node:path";
import { text } from "node:stream/consumers";

/** A process as it was seen: what everybody may read of it, and what its user may. */
export interface Seen {
  readonly pid: number;
  /** The process that started it, or that took it over. */
  readonly parent: number;
  readonly command: string;
  readonly environment: string;
}

/** An address that something listens on, as /proc/net/tcp has it. */
export interface Listener {
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, "latin1");
  } catch {
    return ""; // it has ended, or is another user's
  }
}

function pids(): number[] {
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

const parentOf = (pid: number) => Number(/^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]);

/**
 * What listens beyond the loopback interface, IPv6 included.
 *
 * @param table the text of /proc/net/tcp or /proc/net/tcp6
 */
export function listenersBeyondLoopback(table: string): Listener[] {
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === "0A")
    .map((fields) => {
      const [address, port] = fields[1].split(":");
      return { address, port: parseInt(port, 16), inode: fields[9] };
    })
    .filter(({ address }) => !isLoopback(address));
}

/** Whether an address of these tables, in words of the machine's byte order, is 127/8 or ::1. */
function isLoopback(hex: string): boolean {
  if (hex.length === 8) return hex.endsWith("7F");
  const mapped = hex.startsWith("0000000000000000FFFF0000");
  return mapped ? hex.endsWith("7F") : hex === "00000000000000000000000001000000";
}

/** Watches the processes of a stack from when it is made until {@link Watch.stop}. */
export class Watch {
  /** Everything that was seen, by process and command line. */
  readonly seen = new Map<string, Seen>();
  /** What listened beyond loopback, with the command line of whoever did. */
  readonly open = new Set<string>();
  private readonly timer = setInterval(() => this.look(), 150);

  /** @param belongs whether a process is one of the stack's; those that it starts are, too */
  constructor(private readonly belongs: (seen: Seen) => boolean) {}

  stop(): void {
    clearInterval(this.timer);
    this.look();
  }

  /** What is there now. */
  look(): Seen[] {
    const all = new Map<number, Seen>();
    for (const pid of pids().filter((each) => each !== process.pid)) {
      const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
      const known = this.seen.get(`${pid} ${command}`);
      const environment = known?.environment ?? read(`/proc/${pid}/environ`);
      const parent = known?.parent ?? parentOf(pid);
      if (command) all.set(pid, { pid, parent, command, environment });
    }
    const own = new Map([...all].filter(([, seen]) => this.belongs(seen)));
    const inherits = (pid: number): boolean =>
      pid > 1 && all.has(pid) && (own.has(pid) || inherits(parentOf(pid)));
    for (const [pid, seen] of all) {
      if (!own.has(pid) && pid !== process.pid && inherits(parentOf(pid))) own.set(pid, seen);
    }
    for (const seen of own.values()) this.seen.set(`${seen.pid} ${seen.command}`, seen);
    this.lookAtListeners([...own.values()]);
    return [...own.values()];
  }

  private lookAtListeners(processes: readonly Seen[]): void {
    const open = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) =>
      listenersBeyondLoopback(read(file)),
    );
    if (open.length === 0) return;
    const byInode = new Map(open.map((listener) => [`socket:[${listener.inode}]`, listener]));
    for (const { pid, command } of processes) {
      for (const link of links(pid)) {
        const found = byInode.get(link);
        if (found) this.open.add(`${found.address}:${found.port} by ${command}`);
      }
    }
  }
}

/** Where a process's descriptors lead. */
function links(pid: number): string[] {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return "";
      }
    });
  } catch {
    return [];
  }
}

/** A file or folder, with what others than its user may do with it. */
export interface Entry {
  readonly file: string;
  readonly folder: boolean;
  readonly mode: number;
}

/** All that is in a folder, itself included; links are not followed. */
export function entries(root: string): Entry[] {
  const { mode } = fs.statSync(root);
  const below = fs.readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(root, entry.name);
    try {
      if (entry.isDirectory()) return entries(file);
      return entry.isFile() ? [{ file, folder: false, mode: fs.statSync(file).mode & 0o777 }] : [];
    } catch {
      return []; // gone meanwhile
    }
  });
  return [{ file: root, folder: true, mode: mode & 0o777 }, ...below];
}

/** Which of the files hold one of the secrets in clear. */
export function filesWith(files: readonly Entry[], secrets: readonly string[]): string[] {
  return files
    .filter(({ file, folder }) => !folder && holds(file, secrets))
    .map(({ file }) => file);
}

function holds(file: string, secrets: readonly string[]): boolean {
  try {
    const content = fs.readFileSync(file);
    return secrets.some((secret) => content.includes(secret));
  } catch {
    return false; // gone meanwhile
  }
}

/**
 * The pages of a web interface from some addresses on, following its own links.
 *
 * @returns address to text
 */
export async function crawl(
  addresses: readonly string[],
  headers: Record<string, string> = {},
  most = 60,
): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  const waiting = [...addresses];
  const origins = new Set(addresses.map((address) => new URL(address).origin));
  for (let next = waiting.shift(); next && pages.size < most; next = waiting.shift()) {
    if (pages.has(next)) continue;
    const answer = await fetch(next, { headers }).catch(() => undefined);
    if (!answer?.body) continue;
    const page = await text(answer.body);
    pages.set(next, page);
    for (const [, link] of page.matchAll(/href="([^"#]+)"/g)) {
      const linked = URL.canParse(link, next) ? new URL(link, next) : undefined;
      if (linked && origins.has(linked.origin)) waiting.push(linked.href);
    }
  }
  return pages;
}
