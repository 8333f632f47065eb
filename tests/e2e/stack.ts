import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { listeners } from "../../infra/targets/local/place";

export const checkout = path.resolve(__dirname, "..", "..");

/** The seed's three runs on little data, in little memory. */
export const small = {
  matrix: "seed",
  taxiRows: 60_000,
  taxiMonths: 3,
  photos: 24,
  warmup: 0,
  repeats: 1,
  sparkWorkerMemory: "1g",
  rayObjectStoreMemory: "256m",
};

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command at work. */
export interface Begun {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
}

/** One step of a preview as `npm run preview -- --json` tells it. */
export interface PreviewStep {
  readonly op: string;
  readonly urn: string;
  readonly diff?: readonly {
    readonly path: string;
    readonly old?: unknown;
    readonly new?: unknown;
  }[];
}

/** Whether a program of that name is on PATH. */
export function onPath(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** A stack of the test's own: its folder, its ports, and the commands a user would type. */
export class TestStack {
  private made?: string;
  readonly name: string = "e2e";
  /** Whose program it is deployed by. */
  checkout = checkout;

  constructor(
    readonly runner: "embedded" | "pulumi",
    readonly portOffset: number,
    /** Variables of its commands, besides the test's own. */
    readonly environment: Readonly<Record<string, string>> = {},
  ) {}

  /** Made when it is first asked for: tests that are skipped leave nothing. */
  get home(): string {
    return (this.made ??= fs.mkdtempSync(path.join(os.tmpdir(), "ec-e2e-")));
  }

  get folder(): string {
    return path.join(this.home, this.name);
  }

  /** `npm run <verb> -- --stack e2e ...`, without npm's own words. */
  run(verb: string, ...args: string[]): Promise<Finished> {
    return this.begin(verb, ...args).finished;
  }

  /** As run, for who wants to do something to it: its process group is its own, as in a terminal. */
  begin(verb: string, ...args: string[]): Begun {
    const command = ["cli/main.mjs", verb, "--stack", this.name, ...args];
    return this.spawn(process.execPath, command, this.checkout);
  }

  protected env(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.environment, ENGINE_COMPARISON_HOME: this.home };
  }

  protected spawn(program: string, args: readonly string[], cwd: string): Begun {
    const child = spawn(program, args, {
      ...{ cwd, env: this.env(), stdio: ["ignore", "pipe", "pipe"], detached: true },
    });
    const finished = new Promise<Finished>((resolve, reject) => {
      let [stdout, stderr] = ["", ""];
      child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, stdout, stderr }));
    });
    return { child, finished };
  }

  beginStart(config: Record<string, string | number> = {}): Begun {
    return this.begin("start", "--runner", this.runner, ...asFlags(config));
  }

  /** What a user does about a command that was killed, before the next one. */
  async recover(): Promise<void> {}

  start(config: Record<string, string | number> = {}): Promise<Finished> {
    return this.beginStart(config).finished;
  }

  /** The steps that an up would take, without those that change nothing. */
  async preview(): Promise<PreviewStep[]> {
    const { code, stdout, stderr } = await this.run("preview", "--json");
    if (code !== 0) throw new Error(`preview failed (${code}): ${stderr}\n${stdout}`);
    const { steps } = JSON.parse(stdout) as { steps: PreviewStep[] };
    return steps.filter(({ op }) => op !== "same");
  }

  async outputs<T>(): Promise<T> {
    const { code, stdout, stderr } = await this.run("outputs", "--json");
    if (code !== 0) throw new Error(`outputs failed (${code}): ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  credentials(): Record<string, string> {
    const text = fs.readFileSync(path.join(this.folder, "credentials.json"), "utf8");
    return JSON.parse(text) as Record<string, string>;
  }

  /** Ids of processes whose environment names this stack's home, but not this test's own. */
  processes(): number[] {
    return fs
      .readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map(Number)
      .filter((pid) => {
        try {
          const command = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
          const environment = fs.readFileSync(`/proc/${pid}/environ`, "utf8");
          return (command + environment).includes(this.home);
        } catch {
          return false;
        }
      });
  }
}

/** `--config key=value` for each setting. */
export function asFlags(config: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(config).flatMap(([key, value]) => ["--config", `${key}=${value}`]);
}

/** Whether something accepts connections on 127.0.0.1. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port });
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

/** A port of 127.0.0.1 that nobody has at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/**
 * The first of every hundred port offsets from one on with which a stack could stand now. Below 22,500
 * its ports are also below those that Linux gives to outgoing connections. No other stack is at an
 * offset next to it: the ports of that one's Ray workers are not taken before there is a worker.
 */
export function freeOffset(from: number): number {
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].filter((file) => fs.existsSync(file));
  const rows = tables.flatMap((file) => fs.readFileSync(file, "utf8").split("\n").slice(1));
  const fields = rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , state]) => state === "0A");
  const taken = new Set(fields.map(([, address]) => parseInt(address.split(":")[1], 16)));
  const isTaken = (at: number) => listeners(at, 2).some(({ port }) => taken.has(port));
  let offset = from;
  while ([-100, 0, 100].some((next) => isTaken(offset + next))) offset += 100;
  return offset;
}

/** Calls `probe` until it answers true. @throws Error after `seconds` */
export async function eventually(
  what: string,
  seconds: number,
  probe: () => Promise<boolean> | boolean,
): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await probe())) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
