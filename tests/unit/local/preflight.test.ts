import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { places } from "../../../infra/local/places";
import { listeners } from "../../../infra/local/listeners";
import { ports } from "../../../infra/ports";
import { checkPorts, portsNeeded } from "../../../infra/local/preflight";
import { marker } from "../../../infra/local/processes/leftovers";
import { writeStanding } from "../../../infra/standing";

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

/** An offset that gives MinIO a port that was free just now. */
async function freeOffset(): Promise<number> {
  for (;;) {
    const server = net.createServer();
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const { port } = server.address() as net.AddressInfo;
    await new Promise((closed) => server.close(closed));
    if (port - 9000 <= 40_000) return port - 9000;
  }
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

const minioListeners = () => listeners(offset, 1).filter(({ service }) => service === "minio");

it("refuses a port that somebody else has, by name and pid", async () => {
  const child = await holdMinioPort();
  await expect(checkPorts("one", minioListeners())).rejects.toThrow(
    new RegExp(`^port ${9000 + offset} is taken by .*\\(pid ${child.pid}\\)\\n.*MinIO's S3 API`),
  );
});

it.runIf(process.platform === "linux")("lets leftovers of the stack itself have it", async () => {
  fs.mkdirSync(places("one").supervisor, { recursive: true });
  fs.writeFileSync(path.join(places("one").supervisor, "id"), "mine");
  await holdMinioPort({ [marker]: "mine/minio" });
  await checkPorts("one", minioListeners().slice(0, 1));
});

it("looks at no port of a service that stands where it is declared", () => {
  const needed = (alive: string[], portOffset = 0) =>
    portsNeeded({ portOffset, sparkWorkers: 1 }, "one", {
      alive: (service) => alive.includes(service),
    }).filter(({ service }) => service === "minio");
  expect(needed([])).toHaveLength(2);
  writeStanding("one", "minio", { incarnation: 1, result: { ports: ports(0).minio } });
  expect(needed(["minio"])).toEqual([]);
  expect(needed(["minio"], 100)).toHaveLength(2);
  expect(needed([])).toHaveLength(2);
});
