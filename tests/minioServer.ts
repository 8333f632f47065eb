import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Client } from "minio";
import type { Connection } from "../infra/contracts/platform";
import { cacheFolder, checkout } from "../infra/host/folders";
import { clientOf } from "../infra/stores/client";
import { Authority } from "./certificates";

/** A MinIO that no stack owns, with TLS by an authority of its own, on one drive in a folder of its own. */
export class MinioServer {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "ec-store-"));
  /** The PEM file of its authority. */
  readonly caFile = path.join(this.folder, "ca.pem");
  readonly accessKey = randomBytes(8).toString("hex");
  readonly secretKey = randomBytes(16).toString("hex");
  private child?: ChildProcess;
  private port = 0;

  private constructor(readonly address: string) {}

  /** @param address of IPv4, where it listens and which its certificate has */
  static async start(address = "127.0.0.1"): Promise<MinioServer> {
    const server = new MinioServer(address);
    await server.listen(await minioBinary());
    return server;
  }

  get endpoint(): string {
    return `https://${this.address}:${this.port}`;
  }

  get access(): Connection["store"] {
    return {
      endpoint: this.endpoint,
      region: "us-east-1",
      pathStyle: true,
      accessKey: this.accessKey,
      secretKey: this.secretKey,
      caCertificates: fs.readFileSync(this.caFile, "utf8"),
    };
  }

  get client(): Client {
    return clientOf(this.access);
  }

  stop(): void {
    this.child?.kill("SIGKILL");
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async listen(binary: string): Promise<void> {
    const authority = new Authority();
    const { certificate, key } = authority.server(this.address);
    const at = (...names: string[]) => path.join(this.folder, ...names);
    fs.writeFileSync(this.caFile, authority.certificate);
    fs.mkdirSync(at("certs"));
    fs.writeFileSync(at("certs", "public.crt"), certificate);
    fs.writeFileSync(at("certs", "private.key"), key, { mode: 0o600 });
    this.port = await freePort(this.address);
    const drive = [at("data"), "--certs-dir", at("certs")];
    this.child = spawn(
      binary,
      ["server", "--quiet", "--address", `${this.address}:${this.port}`, ...drive],
      {
        env: {
          HOME: this.folder,
          MINIO_ROOT_USER: this.accessKey,
          MINIO_ROOT_PASSWORD: this.secretKey,
          MINIO_UPDATE: "off",
        },
        stdio: "ignore",
      },
    );
    for (let tries = 0; ; tries++) {
      try {
        return void (await this.client.listBuckets());
      } catch (error) {
        if (tries === 300 || this.child.exitCode !== null) throw error;
        await sleep(100);
      }
    }
  }
}

/** MinIO's program, built into the cache if it is not there. */
export async function minioBinary(): Promise<string> {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "ec-store-home-"));
  fs.mkdirSync(path.join(home, "none"));
  fs.writeFileSync(path.join(home, "none", "owner.json"), JSON.stringify({ id: "none" }));
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--require", "tsx/cjs", "steps.mjs", "minio-binary", "create"],
      {
        cwd: checkout,
        env: {
          ...process.env,
          ENGINE_COMPARISON_HOME: home,
          ENGINE_COMPARISON_STACK: "none",
          STEP: "minio-binary",
          SPEC: "{}",
        },
      },
    );
    const { entry } = JSON.parse(stdout) as { entry: string };
    return path.join(cacheFolder(), entry, "minio");
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once("error", reject);
    server.listen(0, host, () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
