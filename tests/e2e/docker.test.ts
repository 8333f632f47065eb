import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { once } from "node:events";
import { afterAll, describe, expect, it } from "vitest";
import { bases } from "../../infra/targets/docker/base";
import { Docker, daemonHost } from "../../infra/targets/docker/daemon";
import { watchContainers } from "../../infra/targets/docker/memory";
import {
  asFlags,
  eventually,
  freeOffset,
  onPath,
  small,
  TestStack,
  type PreviewStep,
} from "./stack";

/** Below the ports that outgoing connections take. */
const portOffset = freeOffset(22_500);
const roles = [
  "minio",
  "spark-master",
  "spark-worker-1",
  "spark-worker-2",
  "ray-head",
  "ray-worker",
  "app",
];

/** What the environment says of images and certificates, where the default base cannot be pulled. */
const { ENGINE_COMPARISON_BASE_IMAGE: baseImage, ENGINE_COMPARISON_EXTRA_CA: extraCa } =
  process.env;

const settings = {
  ...small,
  target: "docker",
  portOffset,
  sparkWorkerCores: 1,
  ...(baseImage ? { baseImage } : {}),
  ...(extraCa ? { extraCaCertificates: extraCa } : {}),
};

function docker(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync("docker", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`docker ${args.join(" ")}: ${stderr}`);
  return stdout;
}

const succeeds = (program: string, ...args: string[]) =>
  spawnSync(program, args, { timeout: 300_000 }).status === 0;

/** Why the life cycle cannot be tried here, or nothing. */
function whyNot(): string | undefined {
  if (!onPath("pulumi")) return "the Pulumi CLI is not on PATH";
  if (!onPath("docker") || !succeeds("docker", "info")) return "`docker info` does not answer";
  const base = baseImage ?? bases.cpu;
  if (!succeeds("docker", "image", "inspect", base) && !succeeds("docker", "pull", base)) {
    return `${base} cannot be pulled, and ENGINE_COMPARISON_BASE_IMAGE names no other image`;
  }
  return undefined;
}

const reason = whyNot();
const minutes = (n: number) => n * 60_000;
const nameOf = ({ urn }: PreviewStep) => urn.slice(urn.lastIndexOf("::") + 2);

describe(`the life of a stack on Docker${reason ? ` (skipped: ${reason})` : ""}`, () => {
  const test = reason ? it.skip : it;
  const stack = new TestStack("pulumi", portOffset);
  const labelled = ["--filter", `label=engine-comparison.stack=${stack.name}`];
  const container = (role: string) => `${stack.name}-${role}`;
  const idOf = (role: string) => docker("inspect", "--format", "{{.Id}}", container(role)).trim();

  afterAll(async () => {
    if (fs.existsSync(stack.folder)) await stack.run("destroy");
    // The command provider outlives a CLI that was killed, and would do so for ever.
    for (const pid of stack.processes()) process.kill(pid, "SIGKILL");
    fs.rmSync(stack.home, { recursive: true, force: true });
  }, minutes(5));

  /** What the daemon has of the stack, in one line a thing. */
  function onDaemon(): string[] {
    const lines = (...args: string[]) => docker(...args, ...labelled).split("\n");
    return [
      ...lines("ps", "--all", "--format", "{{.Names}}"),
      ...lines("network", "ls", "--format", "{{.Name}}"),
      ...lines("volume", "ls", "--format", "{{.Name}}"),
      ...lines("image", "ls", "--format", "{{.Repository}}"),
    ].filter(Boolean);
  }

  /** Starts an up and kills it, the Pulumi CLI included, when `moment` has come. */
  async function killedUp(what: string, moment: () => boolean, change: string[]): Promise<void> {
    const { child, finished } = stack.begin("start", "--runner", "pulumi", ...change);
    await eventually(what, 1800, async () => {
      if (child.exitCode === null) return moment();
      const { stdout, stderr } = await finished;
      throw new Error(`up ended before ${what}: ${stdout}${stderr}`);
    });
    process.kill(-child.pid!, "SIGKILL");
    // The provider lives a little longer, and ends what it has begun.
    await new Promise((resolve) => setTimeout(resolve, 8_000));
  }

  test(
    "a first up that is killed while it makes containers leaves nothing after a destroy",
    async () => {
      const begun = () => docker("ps", "--quiet", ...labelled).trim() !== "";
      await killedUp("a container of the stack runs", begun, asFlags(settings));
      expect(onDaemon()).not.toEqual([]);
      const destroy = await stack.run("destroy");
      expect(destroy.code, destroy.stdout + destroy.stderr).toBe(0);
      expect(onDaemon()).toEqual([]);
    },
    minutes(35),
  );

  test(
    "up gives healthy containers and three verified runs",
    async () => {
      const up = await stack.start(settings);
      expect(up.code, up.stdout + up.stderr).toBe(0);
      const { runs } = await stack.outputs<{ runs: Record<string, { status: string }> }>();
      expect(Object.values(runs).map(({ status }) => status)).toEqual(Array(3).fill("verified"));
      await eventually("all containers are healthy", 90, () =>
        roles.every((role) =>
          docker("inspect", "--format", "{{.State.Health.Status}}", container(role)).includes(
            "healthy",
          ),
        ),
      );
    },
    minutes(35),
  );

  test("500 MB that a container holds for 30 ms are seen within 5 %", async () => {
    const watch = await watchContainers(
      new Docker(daemonHost()),
      [idOf("ray-head"), idOf("ray-worker")],
      idOf("minio"),
    );
    const holder = spawn("docker", ["exec", "-i", container("ray-worker"), "python", "-c", spike]);
    try {
      await once(holder.stdout, "data");
      const before = peakOf((await watch.ask("begin"))[1]);
      holder.stdin.write("\n");
      await once(holder.stdout, "data");
      const after = (await watch.ask("read"))[1];
      expect(after).toMatchObject({ memory: "pss" });
      expect((peakOf(after) - before) / 2 ** 20).toBeGreaterThan(475);
      expect((peakOf(after) - before) / 2 ** 20).toBeLessThan(525);
    } finally {
      holder.stdin.end();
      await watch.stop();
    }
  });

  test("a loop of eight threads gets no more than the cores of the run", () => {
    const cores = Number(docker("exec", container("app"), "python", "-c", busy));
    // The counters' grain is a hundredth of a second a thread.
    expect(cores).toBeGreaterThan(0);
    expect(cores).toBeLessThan(settings.sparkWorkerCores + 0.15);
  });

  test(
    "nothing is left to do, also after a refresh",
    async () => {
      expect(await stack.preview()).toEqual([]);
      const refresh = await stack.run("refresh");
      expect(refresh.code, refresh.stderr).toBe(0);
      expect(await stack.preview()).toEqual([]);
    },
    minutes(5),
  );

  test("doctor finds nothing wrong", async () => {
    const { code, stdout, stderr } = await stack.run("doctor");
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain("nothing wrong was found");
  });

  test("no container has root, a capability, a secret in view, or a port beyond loopback", () => {
    const { minioRootPassword, sparkSecret, rayToken } = stack.credentials();
    for (const role of roles) {
      const text = docker("inspect", container(role));
      for (const secret of [minioRootPassword, sparkSecret, rayToken]) {
        expect(text.includes(secret), role).toBe(false);
      }
      const [{ HostConfig, NetworkSettings }] = JSON.parse(text) as Inspected[];
      expect(HostConfig, role).toMatchObject({ Privileged: false, ReadonlyRootfs: true });
      const status = docker("exec", container(role), "cat", "/proc/1/status");
      expect(status, role).toMatch(/^Uid:\t10001\t10001\t10001\t10001$/m);
      expect(status, role).toMatch(/^CapBnd:\t0+$/m);
      expect(status, role).toMatch(/^NoNewPrivs:\t1$/m);
      for (const bindings of Object.values(NetworkSettings.Ports)) {
        for (const { HostIp } of bindings ?? []) expect(HostIp, role).toBe("127.0.0.1");
      }
      expect(docker("exec", container(role), "ls", "/var/run")).not.toContain("docker.sock");
    }
  });

  test(
    "a changed setting replaces one container, and the data outlives its server",
    async () => {
      const before = new Map(roles.map((role) => [role, idOf(role)]));
      const change = { ...settings, containerShm: '{"minio":"96m"}' };
      const up = await stack.start(change);
      expect(up.code, up.stdout + up.stderr).toBe(0);
      expect(roles.filter((role) => idOf(role) !== before.get(role))).toEqual(["minio"]);
      expect(docker("exec", container("minio"), "ls", "/data")).toMatch(/lake[^]*warehouse/);
      expect(await stack.preview()).toEqual([]);
    },
    minutes(10),
  );

  test(
    "a container that was removed by hand is seen and made anew, and nothing else",
    async () => {
      docker("rm", "--force", container("ray-worker"));
      const doctor = await stack.run("doctor");
      expect(doctor.code, doctor.stdout + doctor.stderr).toBe(1);
      expect(doctor.stdout).toContain(`wrong  services: ${container("ray-worker")} does not exist`);
      // Ray's head asks its nodes now and then whether they live.
      await eventually("Ray misses the node", 60, async () =>
        (await stack.run("doctor")).stdout.includes("1 of 2 nodes of the Ray cluster"),
      );
      const steps = await stack.preview();
      expect(new Set(steps.map(nameOf))).toEqual(new Set(["ray-worker", "ray-worker-ready"]));
      const up = await stack.start();
      expect(up.code, up.stdout + up.stderr).toBe(0);
      expect(await stack.preview()).toEqual([]);
    },
    minutes(10),
  );

  test(
    "a later up that is killed half-way is mended by the next one",
    async () => {
      const shm = '{"minio":"97m","spark-worker":"97m","ray-head":"400m","app":"97m"}';
      const old = idOf("minio");
      const replaced = () => {
        const now = docker(
          "ps",
          "--quiet",
          "--no-trunc",
          "--filter",
          `name=^${container("minio")}$`,
        );
        return now.trim() !== "" && now.trim() !== old;
      };
      await killedUp("MinIO's container was replaced", replaced, [
        "--config",
        `containerShm=${shm}`,
      ]);
      const up = await stack.start();
      expect(up.code, up.stdout + up.stderr).toBe(0);
      expect(await stack.preview()).toEqual([]);
      expect(
        docker("ps", "--format", "{{.Names}}", ...labelled)
          .trim()
          .split("\n")
          .sort(),
      ).toEqual(roles.map(container).sort());
    },
    minutes(15),
  );

  test(
    "destroy leaves no container, network, volume or image",
    async () => {
      const destroy = await stack.run("destroy");
      expect(destroy.code, destroy.stdout + destroy.stderr).toBe(0);
      expect(onDaemon()).toEqual([]);
    },
    minutes(5),
  );
});

/** Holds 500 MB for 30 ms when it is told to, and stays. */
const spike = `
import mmap, sys, time
print("ready", flush=True)
sys.stdin.readline()
block = mmap.mmap(-1, 500 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, len(block), 4096):
    block[at] = 1
time.sleep(0.03)
block.close()
print("freed", flush=True)
sys.stdin.read()`;

/** Prints how many cores its threads got. Hashing lets go of the interpreter. */
const busy = `
import hashlib, threading, time
began, block = time.perf_counter(), bytes(2**20)
def burn():
    while time.perf_counter() < began + 1.5:
        hashlib.sha256(block)
threads = [threading.Thread(target=burn) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(time.process_time() / (time.perf_counter() - began))`;

/** The peak of one container's window, as engine_comparison/measure.py defines it. */
function peakOf(answer: object): number {
  const { seen, unseen } = answer as { seen: [number, number][]; unseen: number };
  return Math.max(...seen.map(([, bytes]) => bytes)) + unseen;
}

interface Inspected {
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly NetworkSettings: {
    readonly Ports: Readonly<Record<string, readonly { readonly HostIp: string }[] | null>>;
  };
}
