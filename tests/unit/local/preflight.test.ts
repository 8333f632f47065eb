import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { nextFreeOffset, portTaken } from "../../../infra/host/freePorts";
import { listeners, type Listener } from "../../../infra/targets/local/place";
import { ports } from "../../../infra/settings/ports";
import { portsNeeded, takenPort } from "../../../infra/targets/local/checks";
import { serviceVariable } from "../../../infra/targets/local/supervisord";
import { claimStack } from "../../../infra/stack/claim";
import { writeStepRecord } from "../../../infra/stack/records";

const before = { ...process.env };

/** Listens on the port that is its argument, and says so. */
const listen =
  "require('node:net').createServer().listen(+process.argv[1], '127.0.0.1', () => console.log('up'))";

let children: ChildProcess[];
let offset: number;

beforeEach(async () => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "ec-test-"));
  process.env.ENGINE_COMPARISON_HOME = home;
  children = [];
  offset = await freeOffset();
});
afterEach(() => {
  children.forEach((child) => child.kill("SIGKILL"));
  fs.rmSync(process.env.ENGINE_COMPARISON_HOME!, { recursive: true, force: true });
  process.env = { ...before };
});

/** How far from a stack other stacks are that could take its ports. */
const ways = [1000, -100, 100];

/**
 * An offset with free ports, and with free ones where a test puts another stack; below those that the
 * system gives to outgoing connections.
 */
async function freeOffset(): Promise<number> {
  const portsOf = (at: number) => listeners(at, 1).map(({ port }) => port);
  const portsAt = (at: number) => [...new Set([0, ...ways].flatMap((away) => portsOf(at + away)))];
  return (await nextFreeOffset(12_000 + Math.floor(Math.random() * 8_000), portsAt))!;
}

async function holdMinioPort(env: Record<string, string> = {}): Promise<ChildProcess> {
  const argv = ["-e", listen, String(ports(offset).minio.api)];
  const child = spawn(process.execPath, argv, {
    env: { PATH: before.PATH, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  await new Promise((up) => child.stdout.once("data", up));
  return child;
}

const settings = (portOffset = offset) =>
  ({ portOffset, sparkWorkers: 1, objectStore: "minio", network: "none" }) as const;

/** What is said of the first port that is taken, or nothing. */
async function said(needed: readonly Listener[], of = settings()): Promise<string> {
  const taken = await takenPort("one", needed, of);
  return taken ? portTaken(taken, of.portOffset).message : "";
}

const minioListeners = () => listeners(offset, 1).filter(({ service }) => service === "minio");

it("refuses a port that somebody else has, by name and pid", async () => {
  const child = await holdMinioPort();
  expect(await said(minioListeners())).toMatch(
    new RegExp(`^port ${9000 + offset} is taken by .*\\(pid ${child.pid}\\)\\n.*MinIO's S3 API`),
  );
});

it.each([
  [1000, /port \d+ is taken by ray-head of stack two\n.*MinIO's console/],
  [-100, /port \d+ is taken by ray-head of stack two\n.*a worker of Ray's/],
  [100, /port \d+ is taken by ray-head of stack two\n.*Ray client server/],
])(
  "refuses what another stack may take, %i away, also while it takes it not",
  async (away, words) => {
    const other = ports(offset);
    await holdMinioPort();
    writeStepRecord("two", "minio", { generation: "1", result: { ports: other.minio } });
    writeStepRecord("two", "ray-head", { generation: "1", result: { ports: other.ray } });
    const message = await said(listeners(offset + away, 1), settings(offset + away));
    expect(message).toMatch(words);
    const free = Number(/portOffset=(\d+)/.exec(message)![1]);
    expect(await said(listeners(free, 1), settings(free))).toBe("");
  },
);

it("forgets the ports of a stack that does not run any more", async () => {
  writeStepRecord("two", "minio", { generation: "1", result: { ports: ports(offset).minio } });
  expect(await said(minioListeners())).toBe("");
});

it.runIf(process.platform === "linux")("lets leftovers of the stack itself have it", async () => {
  claimStack("one", "local", "mine");
  await holdMinioPort({ [serviceVariable]: "mine/minio" });
  expect(await said(minioListeners().slice(0, 1))).toBe("");
});

it("looks at no port of a service that stands where it is declared", () => {
  const needed = (alive: string[], portOffset = 0, of = "minio") =>
    portsNeeded(settings(portOffset), "one", {
      alive: (service) => alive.includes(service),
    }).filter(({ service }) => service === of);
  expect(needed([])).toHaveLength(2);
  writeStepRecord("one", "minio", { generation: "1", result: { ports: ports(0).minio } });
  expect(needed(["minio"])).toEqual([]);
  expect(needed(["minio"], 100)).toHaveLength(2);
  expect(needed([])).toHaveLength(2);
  writeStepRecord("one", "ray-head", { generation: "1", result: { ports: ports(0).ray } });
  expect(needed(["ray-head"], 0, "ray-head")).toEqual([]);
});
