import * as pulumi from "@pulumi/pulumi";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Existing } from "../../../infra/targets/docker/inspect";
import type { GpuPlan } from "../../../infra/targets/docker/resources";
import { declare } from "../../../infra/targets/docker/platform";
import type { Platform } from "../../../infra/contracts/platform";
import { readSettings } from "../../../infra/targets/readSettings";
import { customModel } from "../../../infra/toolchain/customModel";
import { defaultConfig, exampleContract, largeMachine } from "../../defaults";
import { otherNames, record, type Recorded as RecordedCommand } from "../local/recorded";

type Recorded = Omit<RecordedCommand, "inputs"> & { readonly inputs: Record<string, unknown> };

interface ContainerInputs {
  readonly name: string;
  readonly image: string;
  readonly command: string[];
  readonly envs: string[];
  readonly hostname: string;
  readonly networksAdvanced: { readonly name: string; readonly aliases: string[] }[];
  readonly ports: { readonly ip: string; readonly internal: number; readonly external: number }[];
  readonly volumes: {
    readonly containerPath: string;
    readonly volumeName: string;
    readonly readOnly: boolean;
  }[];
  readonly labels: { readonly label: string; readonly value: string }[];
  readonly healthcheck: Record<string, unknown>;
  readonly [more: string]: unknown;
}

const roles = [
  "minio",
  "spark-master",
  "spark-worker-1",
  "spark-worker-2",
  "ray-head",
  "ray-worker",
  "app",
];
const cpu: GpuPlan = { device: "cpu" };
const gpu: GpuPlan = {
  device: "cuda",
  access: "runtime",
  gpus: ["A, 1 MiB", "B, 1 MiB"],
  notes: [],
};
const nothing: Existing = { containers: new Map(), network: undefined, volumes: new Map() };

let home: string;
const { ENGINE_COMPARISON_HOME } = process.env;

beforeAll(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), "docker-graph-"));
  process.env.ENGINE_COMPARISON_HOME = home;
});

afterAll(() => {
  if (ENGINE_COMPARISON_HOME === undefined) delete process.env.ENGINE_COMPARISON_HOME;
  else process.env.ENGINE_COMPARISON_HOME = ENGINE_COMPARISON_HOME;
  fs.rmSync(home, { recursive: true });
});

async function declared(
  options: {
    config?: Record<string, string>;
    stack?: string;
    existing?: Existing;
    plan?: GpuPlan;
    generations?: Record<string, number>;
  } = {},
) {
  const { config = {}, stack = "dev", existing = nothing, plan = cpu } = options;
  const { generations = { minio: 3, spark: 3, ray: 3 } } = options;
  const settings = readSettings(defaultConfig({ target: "docker", ...config }), largeMachine);
  let platform: Platform | undefined;
  const all = (await record(
    stack,
    () => {
      platform = declare(settings, stack, {
        id: pulumi.output("0123456789abcdef"),
        daemon: { host: "unix:///var/run/docker.sock", id: "A" },
        info: { ServerVersion: "20.10.24", NCPU: 16, MemTotal: 2 ** 36 },
        existing,
        plan,
        model: "f00d",
      });
    },
    (name) => (name === "credentials" ? JSON.stringify({ generations }) : "{}"),
  )) as unknown as Recorded[];
  const of = (type: string, name: string) => {
    const one = all.find((each) => each.type === type && each.name === name);
    if (!one) throw new Error(`no ${type} ${name}`);
    return one;
  };
  return {
    all,
    platform: platform!,
    of,
    container: (role: string) =>
      of("docker:index/container:Container", role).inputs as unknown as ContainerInputs,
    spec: (name: string) => {
      const { environment } = of("command:local:Command", name).inputs as {
        environment: { SPEC: string };
      };
      return JSON.parse(environment.SPEC) as Record<string, unknown>;
    },
    needs: (type: string, name: string) =>
      of(type, name)
        .dependencies.map((urn) => urn.split("::").pop()!)
        .sort(),
  };
}

const env = (inputs: ContainerInputs): Record<string, string> =>
  Object.fromEntries(
    inputs.envs.map((each): [string, string] => {
      const [name, value] = each.split(/=(.*)/s);
      return [name, value];
    }),
  );
const label = (inputs: ContainerInputs, name: string) =>
  inputs.labels.find((each) => each.label === name)?.value;

describe("stack dev", () => {
  let dev: Awaited<ReturnType<typeof declared>>;
  beforeAll(async () => void (dev = await declared()));

  it("has the seed's containers, by the seed's names, on its network", () => {
    const containers = dev.all.filter(({ type }) => type === "docker:index/container:Container");
    expect(containers.map(({ name }) => name).sort()).toEqual([...roles].sort());
    for (const role of roles) {
      const { name, hostname, networksAdvanced } = dev.container(role);
      expect([name, hostname]).toEqual([role, role]);
      expect(networksAdvanced).toEqual([{ name: "engine-comparison", aliases: [role] }]);
    }
  });

  it("keeps the log of an image's last build until another build begins", async () => {
    const log = path.join(home, "dev", "logs", "image-engine.log");
    fs.mkdirSync(path.dirname(log), { recursive: true });
    fs.writeFileSync(log, "built");
    const { of } = await declared();
    expect(fs.existsSync(log)).toBe(true);
    const image = of("docker:index/remoteImage:RemoteImage", "image-engine");
    expect(image.beforeCreate).toEqual(["image-engine-new-log"]);
  });

  it("gives no container root, a capability, a writable image, swap, or a way to more", () => {
    for (const role of roles) {
      expect(dev.container(role), role).toMatchObject({
        user: "10001:10001",
        capabilities: { drops: ["ALL"] },
        securityOpts: ["no-new-privileges:true"],
        readOnly: true,
        networkMode: "bridge",
        init: true,
        restart: "unless-stopped",
        logDriver: "json-file",
        logOpts: { "max-size": "10m", "max-file": "3" },
        tmpfs: { "/tmp": expect.stringContaining("nosuid") as string },
      });
      const inputs = dev.container(role);
      expect(inputs.memory, role).toBeGreaterThan(0);
      expect(inputs.memorySwap, role).toBe(inputs.memory);
      expect(inputs.destroyGraceSeconds, role).toBeGreaterThan(0);
      for (const way of [
        "privileged",
        "pidMode",
        "ipcMode",
        "devices",
        "mounts",
        "uploads",
        "cpus",
        "usernsMode",
      ]) {
        expect(inputs[way], `${role} ${way}`).toBeUndefined();
      }
    }
  });

  it("names what is inside a component after it", () => {
    expect(otherNames(dev.all)).toEqual([]);
  });

  it("mounts volumes of its own only, no file of the machine and no Docker socket", () => {
    for (const role of roles) {
      for (const volume of dev.container(role).volumes) {
        expect(volume.volumeName, role).toMatch(
          /^engine-comparison-(minio-data|credentials|scratch)$/,
        );
        expect(volume.readOnly, role).toBe(volume.containerPath === "/run/credentials");
      }
    }
    expect(dev.container("minio").volumes.map(({ containerPath }) => containerPath)).toContain(
      "/data",
    );
    const withData = roles.filter((role) =>
      dev.container(role).volumes.some(({ volumeName }) => volumeName.endsWith("minio-data")),
    );
    expect(withData).toEqual(["minio"]);
  });

  it("publishes on the loopback interface only", () => {
    const published = roles.flatMap((role) =>
      dev.container(role).ports.map((port) => ({ role, ...port })),
    );
    expect(
      published.map(({ role, internal, external, ip }) => `${role} ${ip}:${external}->${internal}`),
    ).toEqual([
      "minio 127.0.0.1:9000->9000",
      "minio 127.0.0.1:9001->9001",
      "spark-master 127.0.0.1:8080->8080",
      "ray-head 127.0.0.1:8265->8265",
      "ray-head 127.0.0.1:10001->10001",
    ]);
  });

  it("looks at every service's health, in words that Docker writes back unchanged", () => {
    for (const role of roles) {
      const { healthcheck } = dev.container(role);
      expect((healthcheck.tests as string[]).slice(0, 3), role).toEqual(["CMD", "bash", "-c"]);
      for (const name of ["interval", "timeout", "startPeriod"]) {
        expect(healthcheck[name], `${role} ${name}`).toMatch(
          /^([1-9]|[1-5]\d)s$|^\d+m([1-5]?\d)s$/,
        );
      }
      expect(healthcheck.startInterval, role).toBeUndefined();
    }
  });

  it("has the seed's variables in app", () => {
    expect(env(dev.container("app"))).toMatchObject({
      SPARK_MASTER: "spark://spark-master:7077",
      RAY_ADDRESS: "ray://ray-head:10001",
      DAFT_RUNNER: "ray",
    });
  });

  it("shows no secret in any container or image", () => {
    const shown = dev.all.filter(({ type }) => type.startsWith("docker:"));
    expect(JSON.stringify(shown.map(({ inputs }) => inputs))).not.toMatch(
      /minioadmin|secret=|password/i,
    );
    expect(env(dev.container("minio"))).toEqual({
      MINIO_CONFIG_ENV_FILE: "/run/credentials/minio.env",
    });
    expect(dev.of("command:local:Command", "credentials").inputs.stdin).not.toEqual(
      expect.stringContaining("minioadmin"),
    );
  });

  it("waits for each service by a step that sees a container's end, and records the container", () => {
    for (const role of roles) {
      expect(dev.container(role).wait, role).toBeUndefined();
      expect(dev.spec(`${role}-ready`), role).toMatchObject({
        role,
        container: `${role}-id`,
        generation: "1",
      });
      expect(dev.needs("command:local:Command", `${role}-ready`), role).toContain(role);
    }
  });

  it("starts a container when what it needs is ready", () => {
    const needs = (role: string) => dev.needs("docker:index/container:Container", role);
    const readyOf = (role: string) => needs(role).filter((name) => name.endsWith("-ready"));
    expect(readyOf("minio")).toEqual([]);
    expect(readyOf("spark-master")).toEqual([]);
    expect(readyOf("spark-worker-2")).toEqual(["spark-master-ready"]);
    expect(readyOf("ray-worker")).toEqual(["ray-head-ready"]);
    expect(readyOf("app")).toEqual(
      roles
        .filter((role) => role !== "app")
        .map((role) => `${role}-ready`)
        .sort(),
    );
    for (const role of ["minio", "spark-master", "ray-head"]) {
      expect(needs(role), role).toEqual(
        expect.arrayContaining(["docker-credentials", "docker-network", "docker-cleanup"]),
      );
    }
    expect(needs("minio")).toContain("image-minio");
    expect(needs("ray-head")).toContain("image-engine");
  });

  it("begins with the cleanup and ends with it: what has no delete of its own goes with it", () => {
    const cleanup = dev.of("command:local:Command", "docker-cleanup");
    expect(cleanup.dependencies).toEqual([]);
    expect(cleanup.inputs.triggers).toBeUndefined();
    for (const { type, name, dependencies, deletedWith } of dev.all) {
      if (/^docker:index\/(network|volume|remoteImage)/.test(type)) {
        expect(dependencies, name).toContain(cleanup.urn);
        expect(deletedWith, name).toBe(cleanup.urn);
      }
      if (type === "docker:index/container:Container")
        expect(dependencies, name).toContain(cleanup.urn);
    }
  });

  it("labels all that it makes on the daemon", () => {
    for (const { type, name, inputs } of dev.all) {
      if (/^docker:index\/(network|volume|container)/.test(type)) {
        expect(inputs.labels, name).toContainEqual({
          label: "engine-comparison.stack",
          value: "dev",
        });
      }
    }
    const { build } = dev.of("docker:index/remoteImage:RemoteImage", "image-engine").inputs;
    expect((build as { label: unknown }).label).toEqual({
      "engine-comparison.id": "0123456789abcdef",
      "engine-comparison.stack": "dev",
    });
  });

  it("gives images more than the provider's 20 minutes to be built", () => {
    for (const name of ["image-engine", "image-minio"]) {
      expect(dev.of("docker:index/remoteImage:RemoteImage", name).createTimeout).toBe("2h");
    }
  });

  it("keeps everything inside components, under the target's own provider", () => {
    for (const { type, name, parent } of dev.all) {
      if (type.startsWith("docker:") || type.startsWith("command:")) {
        expect(parent, name).toMatch(/engine-comparison:(docker|stack):/);
      }
    }
    expect(dev.of("pulumi:providers:docker", "docker").inputs.host).toBe(
      "unix:///var/run/docker.sock",
    );
  });

  it("tells addresses of this machine", () => {
    expect(dev.platform.objectStore.endpoint).toBe("http://127.0.0.1:9000");
    expect(dev.platform.objectStore.consoleUrl).toBe("http://127.0.0.1:9001");
    expect(dev.platform.sparkUiUrl).toBe("http://127.0.0.1:8080");
    expect(dev.platform.rayDashboardUrl).toBe("http://127.0.0.1:8265");
  });

  it("gives runs a quiet machine: they wait for every container", async () => {
    const urns = await Promise.all(
      dev.platform.quiet.map((each) => new Promise<string>((done) => each.urn.apply(done))),
    );
    expect(urns.map((urn) => urn.split("::").pop()).sort()).toEqual(
      roles.map((role) => `${role}-ready`).sort(),
    );
  });
});

describe("other stacks", () => {
  it("carry their names, and their services keep the roles' names inside the network", async () => {
    const other = await declared({ stack: "blue", config: { portOffset: "20000" } });
    for (const role of roles) {
      expect(other.container(role).name).toBe(`blue-${role}`);
      expect(other.container(role).networksAdvanced).toEqual([
        { name: "engine-comparison-blue", aliases: [role] },
      ]);
    }
    expect(other.container("minio").image).toMatch(
      /^engine-comparison\/blue-minio:[0-9a-f]{16}-01234567$/,
    );
    expect(other.container("minio").ports.map(({ external }) => external)).toEqual([29000, 29001]);
    expect(env(other.container("app")).SPARK_MASTER).toBe("spark://spark-master:7077");
    expect(other.platform.objectStore.endpoint).toBe("http://127.0.0.1:29000");
  });

  it("have as many Spark workers as is said", async () => {
    const wide = await declared({ config: { sparkWorkers: "3" } });
    expect(wide.container("spark-worker-3").command).toContain("spark://spark-master:7077");
    expect(wide.spec("app-ready")).toMatchObject({ facts: { sparkWorkers: 3 } });
  });
});

describe("images", () => {
  const image = (graph: Awaited<ReturnType<typeof declared>>, name: string) =>
    graph.of("docker:index/remoteImage:RemoteImage", `image-${name}`).inputs as {
      name: string;
      build: {
        builder: string;
        buildArgs: Record<string, string>;
        secrets: unknown[];
        buildLogFile: string;
      };
    };

  it("have a hash of all that the build is given as their tag", async () => {
    const [one, again, other] = [
      await declared(),
      await declared(),
      await declared({ config: { baseImage: "debian:sid" } }),
    ];
    for (const name of ["engine", "minio"]) {
      expect(image(one, name).name).toMatch(
        /^engine-comparison\/(engine|minio):[0-9a-f]{16}-01234567$/,
      );
      expect(image(again, name).name).toBe(image(one, name).name);
      expect(image(other, name).name).not.toBe(image(one, name).name);
      expect(image(other, name).build.buildArgs.BASE_IMAGE).toBe("debian:sid");
    }
  });

  it("are built with the extra certificates as a secret, and log into the stack folder", async () => {
    const graph = await declared({ config: { extraCaCertificates: "proxy.pem" } });
    for (const name of ["engine", "minio"]) {
      const { build } = image(graph, name);
      expect(build.builder).toBe("default");
      expect(build.secrets).toEqual([{ id: "extra-certificates", src: "proxy.pem" }]);
      expect(build.buildLogFile).toBe(path.join(home, "dev", "logs", `image-${name}.log`));
      expect(JSON.stringify(build.buildArgs)).not.toContain("proxy.pem");
    }
  });
});

describe("a GPU", () => {
  let graph: Awaited<ReturnType<typeof declared>>;
  beforeAll(async () => void (graph = await declared({ plan: gpu, config: { rayCpus: "4" } })));

  it("is given to Spark's workers, Ray's worker and app", () => {
    const given = roles.filter((role) => graph.container(role).runtime === "nvidia");
    expect(given).toEqual(["spark-worker-1", "spark-worker-2", "ray-worker", "app"]);
    expect(env(graph.container("app")).NVIDIA_DRIVER_CAPABILITIES).toBe("compute,utility");
  });

  it("is declared to Ray by its worker alone, which has all of the cluster's CPUs", () => {
    expect(graph.container("ray-head").command).toEqual(
      expect.arrayContaining(["--num-gpus=0", "--num-cpus=0"]),
    );
    expect(graph.container("ray-worker").command).toEqual(
      expect.arrayContaining(["--num-gpus=2", "--num-cpus=4"]),
    );
    expect([graph.platform.device, graph.platform.gpus]).toEqual(["cuda", 2]);
  });

  it("is offered to Spark by one of its workers, though both see it", () => {
    const offered = ["spark-worker-1", "spark-worker-2"] as const;
    expect(offered.map((role) => env(graph.container(role)).SPARK_WORKER_GPUS)).toEqual([
      "0 1",
      undefined,
    ]);
  });

  it("brings the CUDA base and ONNX Runtime for it into the engine image, not into MinIO's", () => {
    const buildArgs = (name: string) =>
      (
        graph.of("docker:index/remoteImage:RemoteImage", name).inputs.build as {
          buildArgs: Record<string, string>;
        }
      ).buildArgs;
    expect(buildArgs("image-engine").DEVICE).toBe("cuda");
    expect(buildArgs("image-engine").BASE_IMAGE).toContain("nvidia/cuda");
    expect(buildArgs("image-minio").BASE_IMAGE).toContain("debian");
  });

  it("is asked of nobody where there is none", async () => {
    const without = await declared();
    for (const role of roles) {
      for (const way of ["runtime", "gpus", "deviceRequests"])
        expect(without.container(role)[way]).toBeUndefined();
    }
    expect(without.container("ray-worker").command).toContain("--num-gpus=0");
    expect(without.platform.device).toBe("cpu");
  });
});

describe("drift", () => {
  it("gives a container that nobody recorded the next number, and has the cleanup remove it", async () => {
    const graph = await declared({
      existing: {
        ...nothing,
        containers: new Map([
          ["ray-head", { id: "x", running: true, generation: "4", status: "Up" }],
        ]),
      },
    });
    expect(label(graph.container("ray-head"), "engine-comparison.generation")).toBe(
      "5, after it lost its record",
    );
    expect(label(graph.container("minio"), "engine-comparison.generation")).toBe("1");
  });

  it("takes a volume that is there for what it is, so that data stays", async () => {
    const existing = { ...nothing, volumes: new Map([["engine-comparison-minio-data", "6"]]) };
    const graph = await declared({ existing });
    expect(graph.platform.objectStore.dataId).toBe("volume 6");
  });

  it.each([
    ["minio", ["minio", "app"]],
    ["spark", ["spark-master", "spark-worker-1", "spark-worker-2", "app"]],
    ["ray", ["ray-head", "ray-worker", "app"]],
  ])("replaces what is protected by the secret of %s when it changes", async (owner, changed) => {
    const generations = { minio: 3, spark: 3, ray: 3 };
    const before = await declared({ generations });
    const after = await declared({ generations: { ...generations, [owner]: 4 } });
    const generation = (graph: typeof before, role: string) =>
      label(graph.container(role), "engine-comparison.credentials");
    expect(roles.filter((role) => generation(before, role) !== generation(after, role))).toEqual(
      changed,
    );
  });
});

describe("one's own model", () => {
  it("is copied into a volume that engines read, and no code depends on where it lies here", async () => {
    const file = path.join(home, "mine.onnx");
    fs.writeFileSync(file, "onnx");
    const contract = { ...exampleContract(), labels: null };
    fs.writeFileSync(path.join(home, "mine.json"), JSON.stringify(contract));
    const graph = await declared({ config: { modelPath: file } });
    const readers = roles.filter((role) =>
      graph
        .container(role)
        .volumes.some(
          ({ containerPath, readOnly }) => containerPath === "/opt/own-model" && readOnly,
        ),
    );
    expect(readers).toEqual(["spark-worker-1", "spark-worker-2", "ray-head", "ray-worker", "app"]);
    expect(graph.needs("docker:index/container:Container", "ray-head")).toContain("docker-model");
    expect(graph.spec("app-ready")).toMatchObject({ facts: { modelFolder: "/opt/own-model" } });
    const { hash } = customModel(file);
    expect(graph.spec("docker-model")).toMatchObject({ model: hash, modelPath: file });
  });
});
