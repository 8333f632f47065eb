import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { checkout } from "../infra/host/folders";
import { findJava } from "../infra/host/runtimes";
import { get } from "../infra/host/probe";
import { eventually } from "./e2e/stack";
import { MinioServer } from "./minioServer";

/** Why there can be no hosts of a test's own on this machine, or undefined. */
export function whyNoHosts(): string | undefined {
  if (os.platform() !== "linux" || process.getuid?.() !== 0)
    return "making hosts takes root on Linux";
  if (os.availableParallelism() < 2) return "two hosts take two cores";
  try {
    ip("netns", "list");
    return undefined;
  } catch {
    return "there is no command ip, or it may not make network namespaces";
  }
}

/** What hosts are made with. */
export interface HostsArgs {
  /** Folders of this machine that no host has. */
  readonly hidden: readonly string[];
  readonly sparkWorkerMemory: string;
  readonly rayObjectStoreBytes: number;
}

const sparkPort = 7077;
const sparkUiPort = 8080;
const rayPort = 6379;
const dashboardPort = 8265;

/**
 * Two machines as far as a network tells: namespaces on a bridge of their own, one core each. The first
 * has Spark's master and Ray's head; each has a Spark worker and a Ray node of one CPU. Both clusters
 * ask for a secret, and no host sees the files that are hidden. This machine has the store, with TLS.
 */
export class Hosts {
  /** Short, because Ray's sockets are in it. */
  readonly folder = fs.mkdtempSync("/tmp/ec-hosts-");
  private readonly sparkSecretFile = path.join(this.folder, "spark-secret");
  private readonly rayTokenFile = path.join(this.folder, "ray-token");
  private readonly s3SecretFile = path.join(this.folder, "s3-secret");
  private readonly id = randomBytes(3).toString("hex");
  private readonly net = `10.213.${process.pid % 256}`;
  /** This machine's end of the cable to the hosts. */
  private readonly cable = `ec${this.id}`;
  private readonly children: ChildProcess[] = [];
  private readonly properties = path.join(this.folder, "spark.properties");
  private readonly spark: string;
  private started?: MinioServer;

  private constructor(
    private readonly python: string,
    private readonly args: HostsArgs,
  ) {
    const lib = path.join(path.dirname(python), "..", "lib");
    const [version] = fs.readdirSync(lib);
    this.spark = path.join(lib, version, "site-packages", "pyspark");
    fs.mkdirSync(this.at("bin"));
    fs.mkdirSync(this.at("nothing"));
    // What Spark's workers find by its name: a Python without any package.
    fs.symlinkSync(fs.realpathSync(this.python), this.at("bin", version));
    const secret = randomBytes(16).toString("hex");
    fs.writeFileSync(this.sparkSecretFile, secret, { mode: 0o600 });
    fs.writeFileSync(this.rayTokenFile, randomBytes(32).toString("hex"), { mode: 0o600 });
    const properties = {
      "spark.authenticate": "true",
      "spark.authenticate.secret": secret,
      "spark.master.rest.enabled": "false",
    };
    const lines = Object.entries(properties).map(([key, value]) => `${key} ${value}\n`);
    fs.writeFileSync(this.properties, lines.join(""), { mode: 0o600 });
  }

  /** Makes both, with everything on them, and waits until it stands. */
  static async start(args: HostsArgs): Promise<Hosts> {
    const hosts = new Hosts(lockedPython(), args);
    try {
      hosts.connect();
      hosts.started = await MinioServer.start(hosts.here);
      fs.writeFileSync(hosts.s3SecretFile, hosts.store.secretKey, { mode: 0o600 });
      hosts.daemon(1, "master.Master", [
        ...["--port", String(sparkPort), "--webui-port", String(sparkUiPort)],
      ]);
      hosts.ray(1, ["--head", `--port=${rayPort}`, `--dashboard-host=${hosts.address(1)}`]);
      await hosts.join(1);
      await hosts.join(2);
      return hosts;
    } catch (error) {
      hosts.stop();
      throw error;
    }
  }

  /** The store that the hosts reach. */
  get store(): MinioServer {
    return this.started!;
  }

  /** The settings of a stack that uses both hosts, secrets by files. */
  get settings(): Record<string, string | number> {
    return {
      target: "cluster",
      sparkMaster: this.sparkMaster,
      sparkSecret: `@${this.sparkSecretFile}`,
      rayAddress: this.rayAddress,
      rayToken: `@${this.rayTokenFile}`,
      objectStore: "s3",
      s3Endpoint: this.store.endpoint,
      s3CaCertificates: this.store.caFile,
      s3AccessKey: this.store.accessKey,
      s3SecretKey: `@${this.s3SecretFile}`,
    };
  }

  /** What must not be told. */
  get secrets(): string[] {
    const files = [this.sparkSecretFile, this.rayTokenFile, this.s3SecretFile];
    return files.map((file) => fs.readFileSync(file, "utf8"));
  }

  /** The processes on a host with such a command line. */
  processes(host: number, command: RegExp): number[] {
    return this.pids(host).filter((pid) => command.test(commandOf(pid)));
  }

  /** Ends the second host's part in both clusters, as a power cut would. */
  kill(): void {
    for (const pid of this.pids(2)) end(pid);
  }

  /** Ends the second host's part, and waits until the clusters miss it. */
  async lose(): Promise<void> {
    this.kill();
    await this.stands(1, 1);
  }

  /** Starts a host's Spark worker, and the Ray node of the second, when the clusters miss them. */
  async join(host: number): Promise<void> {
    await this.stands(host - 1, 1);
    const port = ["--port", "7078", "--webui-port", "8081"];
    const size = ["--cores", "1", "--memory", this.args.sparkWorkerMemory];
    this.daemon(host, "worker.Worker", [
      ...[...port, ...size, "--work-dir", this.at(`work-${host}`)],
      this.sparkMaster,
    ]);
    if (host > 1) this.ray(host, [`--address=${this.address(1)}:${rayPort}`]);
    await this.stands(host, host);
  }

  /** Ends everything, and removes the hosts. */
  stop(): void {
    for (const host of [1, 2]) {
      try {
        for (const pid of this.pids(host)) end(pid);
        ip("netns", "delete", this.name(host));
      } catch {
        // it was never made
      }
    }
    for (const child of this.children) child.kill("SIGKILL");
    this.started?.stop();
    for (const last of [
      ["link", "delete", this.cable],
      ["netns", "delete", this.name("net")],
    ]) {
      try {
        ip(...last);
      } catch {
        // nor was this
      }
    }
    fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  /** This machine's address, as the hosts know it. */
  private get here(): string {
    return `${this.net}.1`;
  }

  private get sparkMaster(): string {
    return `spark://${this.address(1)}:${sparkPort}`;
  }

  private get rayAddress(): string {
    return `http://${this.address(1)}:${dashboardPort}`;
  }

  private name(host: number | "net"): string {
    return `ec${this.id}-${host}`;
  }

  private address(host: number): string {
    return `${this.net}.${host + 1}`;
  }

  private at(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  private pids(host: number): number[] {
    return ip("netns", "pids", this.name(host)).split("\n").filter(Boolean).map(Number);
  }

  private connect(): void {
    // The bridge has a namespace of its own, too, because Docker forbids forwarding in this machine's.
    const bridge = this.name("net");
    ip("netns", "add", bridge);
    ip("-n", bridge, "link", "add", "hub", "type", "bridge");
    ip("-n", bridge, "link", "set", "hub", "up");
    const plugIn = (cable: string) => ip("-n", bridge, "link", "set", cable, "master", "hub", "up");
    for (const host of [1, 2]) {
      const name = this.name(host);
      ip("netns", "add", name);
      const peer = ["peer", "name", "eth0", "netns", name];
      ip("-n", bridge, "link", "add", `host${host}`, "type", "veth", ...peer);
      plugIn(`host${host}`);
      ip("-n", name, "address", "add", `${this.address(host)}/24`, "dev", "eth0");
      for (const device of ["eth0", "lo"]) ip("-n", name, "link", "set", device, "up");
    }
    ip("link", "add", this.cable, "type", "veth", "peer", "name", "here", "netns", bridge);
    plugIn("here");
    ip("address", "add", `${this.here}/24`, "dev", this.cable);
    ip("link", "set", this.cable, "up");
  }

  private daemon(host: number, kind: string, args: readonly string[]): void {
    const address = this.address(host);
    this.spawn(
      host,
      [
        path.join(this.spark, "bin", "spark-class"),
        `org.apache.spark.deploy.${kind}`,
        ...["--host", address, "--properties-file", this.properties, ...args],
      ],
      {
        JAVA_HOME: findJava().home,
        SPARK_HOME: this.spark,
        SPARK_LOCAL_IP: address,
        SPARK_PUBLIC_DNS: address,
        SPARK_LOCAL_DIRS: this.at(`local-${host}`),
        SPARK_DAEMON_MEMORY: "256m",
        SPARK_DAEMON_JAVA_OPTS: "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
      },
    );
  }

  private ray(host: number, args: readonly string[]): void {
    const bin = path.dirname(this.python);
    this.spawn(
      host,
      [
        ...[this.python, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"],
        ...["--num-cpus=1", "--num-gpus=0", `--node-ip-address=${this.address(host)}`],
        `--object-store-memory=${this.args.rayObjectStoreBytes}`,
        ...(host === 1 ? [`--temp-dir=${this.at("ray")}`] : []),
        ...args,
      ],
      {
        RAY_AUTH_MODE: "token",
        RAY_AUTH_TOKEN_PATH: this.rayTokenFile,
        // A job's command is `python`, which has to be the one with the packages.
        PATH: `${bin}:${process.env.PATH}`,
      },
    );
  }

  /** Runs a program on a host: pinned to its core, without the folders that are hidden. */
  private spawn(
    host: number,
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
  ): void {
    const hide = this.args.hidden.map(
      (folder) => `mount --bind '${this.at("nothing")}' '${folder}'`,
    );
    const script = [...hide, 'exec "$@"'].join(" && ");
    const log = fs.openSync(this.at(`host-${host}.log`), "a");
    const pinned = ["taskset", "--cpu-list", String(host - 1)];
    const child = spawn(
      "ip",
      ["netns", "exec", this.name(host), ...pinned, "sh", "-c", script, "host", ...argv],
      {
        cwd: this.folder,
        env: { HOME: this.folder, PATH: `${this.at("bin")}:${process.env.PATH}`, ...env },
        stdio: ["ignore", log, log],
        detached: true,
      },
    );
    fs.closeSync(log);
    this.children.push(child);
  }

  /** Waits until there are so many Spark workers and Ray nodes. */
  private async stands(workers: number, nodes: number): Promise<void> {
    const master = `http://${this.address(1)}:${sparkUiPort}/json/`;
    await eventually(`${workers} Spark workers (${this.folder})`, 120, async () => {
      const said = (await get(master)) ?? "";
      if (!said.startsWith("{")) return false; // a master that still starts may answer with a page
      const page = JSON.parse(said) as { workers?: { state: string }[] };
      const alive = page.workers?.filter(({ state }) => state === "ALIVE");
      return alive?.length === workers;
    });
    const token = fs.readFileSync(this.rayTokenFile, "utf8");
    await eventually(`${nodes} Ray nodes (${this.folder})`, 120, async () => {
      const page = await fetch(`${this.rayAddress}/api/v0/nodes?detail=1&limit=9`, {
        headers: { Authorization: `Bearer ${token}` },
      }).then(
        (answer) => answer.json() as Promise<unknown>,
        () => undefined,
      );
      const { data } = (page ?? {}) as { data?: { result?: { result?: { state: string }[] } } };
      return (data?.result?.result ?? []).filter(({ state }) => state === "ALIVE").length === nodes;
    });
  }
}

/** The interpreter of the locked environment, built into the cache if it is not there. */
export function lockedPython(): string {
  const build = ["--import", "tsx", "tests/pythonEnvironment.ts"];
  return execFileSync(process.execPath, build, { cwd: checkout, encoding: "utf8" }).trim();
}

function ip(...args: string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** A process's command line; empty when it has ended. */
export function commandOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}
