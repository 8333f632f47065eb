import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Client } from "minio";
import { cacheFolder } from "../../infra/host/folders";
import { checkout, eventually, freePort, type Finished } from "../e2e/stack";

/** The MinIO that a stack has left in the cache, or undefined: then there is nothing to test with. */
export const minioBinary = (() => {
  const folder = path.join(cacheFolder(), "minio");
  const built = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  return built.map((key) => path.join(folder, key, "minio")).find((file) => fs.existsSync(file));
})();

const user = "load";
const password = "load and verify";

/** A MinIO of the test's own, with the files by which steps find it: all of a stack that an upload needs. */
export class TestStore {
  readonly home = fs.mkdtempSync(path.join(os.tmpdir(), "ec-store-"));
  readonly stack = "store";
  private server?: ChildProcess;
  private port = 0;

  /** The cache from which this store's uploads take their datasets. */
  get cache(): string {
    return path.join(this.home, "cache");
  }

  async open(): Promise<void> {
    this.port = await freePort();
    const address = `127.0.0.1:${this.port}`;
    const endpoint = `http://${address}`;
    this.server = spawn(
      minioBinary!,
      ["server", "--quiet", "--address", address, path.join(this.home, "data")],
      {
        env: { ...process.env, MINIO_ROOT_USER: user, MINIO_ROOT_PASSWORD: password },
        stdio: "ignore",
      },
    );
    const folder = path.join(this.home, this.stack);
    fs.mkdirSync(path.join(folder, "records"), { recursive: true });
    const write = (name: string, content: unknown) =>
      fs.writeFileSync(path.join(folder, name), JSON.stringify(content));
    write("records/minio.json", { generation: "1", result: { endpoint } });
    write("credentials.json", { minioRootUser: user, minioRootPassword: password });
    await eventually("MinIO answers", 60, async () => {
      const answer = await fetch(`${endpoint}/minio/health/live`).catch(() => null);
      return answer?.ok ?? false;
    });
  }

  async close(): Promise<void> {
    const { server } = this;
    if (server && server.exitCode === null) {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill();
      await ended;
    }
    fs.rmSync(this.home, { recursive: true, force: true });
  }

  /** A client that is not the program's, to look at what it did. */
  client(): Client {
    return new Client({
      endPoint: "127.0.0.1",
      port: this.port,
      useSSL: false,
      accessKey: user,
      secretKey: password,
      region: "us-east-1",
    });
  }

  /** Runs a step's script as Pulumi does. @returns also the most memory it had, in bytes */
  step(
    kind: string,
    verb: "create" | "delete",
    spec: Readonly<Record<string, unknown>>,
  ): Promise<Finished & { readonly peakBytes: number }> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, ["--require", "tsx/cjs", "steps.mjs", kind, verb], {
        cwd: checkout,
        env: {
          ...process.env,
          ENGINE_COMPARISON_HOME: this.home,
          ENGINE_COMPARISON_CACHE: this.cache,
          ENGINE_COMPARISON_STACK: this.stack,
          STEP: "step",
          SPEC: JSON.stringify(spec),
        },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let [stdout, stderr, peakBytes] = ["", "", 0];
      const watch = setInterval(() => (peakBytes = Math.max(peakBytes, peakOf(child.pid))), 50);
      child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      child.on("error", reject);
      child.on("close", (code) => {
        clearInterval(watch);
        resolve({ code, stdout, stderr, peakBytes });
      });
    });
  }
}

/** The high-water mark of a process's resident memory in bytes; 0 when it has ended. */
function peakOf(pid: number | undefined): number {
  try {
    const status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
