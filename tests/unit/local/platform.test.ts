import { beforeAll, describe, expect, it } from "vitest";
import type { Device } from "../../../infra/host/gpu";
import type { Inspected } from "../../../infra/stack/records";
import { declare } from "../../../infra/targets/local/platform";
import type { Platform } from "../../../infra/contracts/platform";
import { readSettings } from "../../../infra/targets/readSettings";
import { defaultConfig, largeMachine } from "../../defaults";
import { otherNames, record, type Recorded } from "./recorded";

const generations = { minio: 3, spark: 4, ray: 5 };
const services = ["minio", "spark-master", "spark-worker-1", "spark-worker-2", "ray-head"];

function inspected(generations: Record<string, string> = {}): Inspected {
  return { generation: (name) => generations[name] ?? "1", alive: () => false };
}

async function declared(options: {
  config?: Record<string, string>;
  stack?: string;
  existing?: Record<string, string>;
  device?: Device;
}): Promise<{ all: Recorded[]; platform: Platform; command: (name: string) => Recorded }> {
  const { config = {}, stack = "local", existing = {} } = options;
  const { device = { device: "cpu", gpus: 0 } } = options;
  const settings = readSettings(defaultConfig({ target: "local", ...config }), largeMachine);
  let platform: Platform | undefined;
  const all = await record(
    stack,
    () => {
      platform = declare(settings, stack, {
        existing: inspected(existing),
        device,
        model: "f00d",
      });
    },
    (name) => (name === "credentials" ? JSON.stringify({ generations }) : "{}"),
  );
  const command = (name: string) => {
    const found = all.find(({ inputs }) => inputs.environment?.STEP === name);
    if (!found) throw new Error(`no command ${name}`);
    return found;
  };
  return { all, platform: platform!, command };
}

const spec = (recorded: Recorded) =>
  JSON.parse(recorded.inputs.environment.SPEC) as Record<string, unknown>;

describe("target local", () => {
  let result: Awaited<ReturnType<typeof declared>>;
  beforeAll(async () => {
    result = await declared({});
  });

  it("has commands as its only custom resources, each inside a component and named after it", () => {
    const types = new Set(result.all.map(({ type }) => type));
    expect([...types].sort()).toEqual([
      "command:local:Command",
      "engine-comparison:local:Services",
      "engine-comparison:local:Toolchain",
      "engine-comparison:stack:KeptCredentials",
      "pulumi:pulumi:Stack",
    ]);
    const commands = result.all.filter(({ type }) => type === "command:local:Command");
    for (const { name, parent } of commands) expect(parent, name).toContain("engine-comparison:");
    expect(otherNames(result.all)).toEqual([]);
  });

  it("updates and deletes what stands, and never replaces it", () => {
    for (const { type, inputs, name } of result.all) {
      if (type !== "command:local:Command") continue;
      expect(inputs.triggers, name).toBeUndefined();
      expect(inputs.create, name).toMatch(/^exec node steps\.mjs [\w-]+ create$/);
      expect(inputs.update, name).toMatch(/ update$/);
      expect(inputs.delete, name).toMatch(/ delete$/);
    }
  });

  it("starts each service after the supervisor, the credentials and its tools", () => {
    const needs = (name: string) =>
      result
        .command(name)
        .dependencies.map((urn) => urn.split("::").pop())
        .sort();
    const [credentials, supervisor] = ["credentials", "services-supervisor"];
    expect(needs("supervisor")).toEqual(["toolchain-python"]);
    expect(needs("minio")).toEqual([
      ...[credentials, "services-minio-data", supervisor, "toolchain-minio-binary"],
    ]);
    expect(needs("ray-head")).toEqual([credentials, supervisor]);
    expect(needs("spark-master")).toEqual([credentials, supervisor]);
    expect(needs("spark-worker-2")).toEqual([credentials, "services-spark-master", supervisor]);
    expect(needs("jars")).toEqual(["toolchain-python"]);
    expect(needs("minio-binary")).toEqual([]);
  });

  it("lets a service restart when its own secret changes", () => {
    const seen = services.map((name) => spec(result.command(name)).credentials);
    expect(seen).toEqual([3, 4, 4, 4, 5]);
  });

  it("gives runs a quiet machine: they wait for every tool and service", async () => {
    const urns = await Promise.all(
      result.platform.quiet.map((each) => new Promise<string>((done) => each.urn.apply(done))),
    );
    expect(urns.map((urn) => urn.split("::").pop()).sort()).toEqual(
      [
        ...services.map((name) => `services-${name}`),
        ...["jars", "minio-binary", "model", "python"].map((name) => `toolchain-${name}`),
      ].sort(),
    );
  });

  it("tells addresses that follow portOffset, which no tool depends on", async () => {
    const moved = await declared({ config: { portOffset: "20000" } });
    expect(moved.platform.objectStore.endpoint).toBe("http://127.0.0.1:29000");
    expect(moved.platform.objectStore.consoleUrl).toBe("http://127.0.0.1:29001");
    expect(moved.platform.sparkUiUrl).toBe("http://127.0.0.1:28080");
    expect(moved.platform.rayDashboardUrl).toBe("http://127.0.0.1:28265");
    for (const name of ["python", "jars", "model", "minio-binary", "supervisor", "minio-data"]) {
      expect(spec(moved.command(name)), name).toEqual(spec(result.command(name)));
    }
    expect(moved.platform.objectStore.dataId).toBe(result.platform.objectStore.dataId);
  });

  it("changes only the service that was found dead", async () => {
    const { command } = await declared({ existing: { "ray-head": "2, after it stopped" } });
    const changed = services.filter(
      (name) =>
        command(name).inputs.environment.SPEC !== result.command(name).inputs.environment.SPEC,
    );
    expect(changed).toEqual(["ray-head"]);
  });

  it("changes every service when the supervisor or its Python was made again", async () => {
    for (const name of ["supervisor", "python"]) {
      const { command } = await declared({ existing: { [name]: "2" } });
      for (const service of services) {
        expect(command(service).inputs.environment.SPEC, `${service} after ${name}`).not.toBe(
          result.command(service).inputs.environment.SPEC,
        );
      }
    }
  });

  it("gives a machine with GPUs another Python environment, and Ray and Spark its GPUs", async () => {
    const { command, platform } = await declared({ device: { device: "cuda", gpus: 2 } });
    expect(spec(command("python"))).toMatchObject({ device: "cuda" });
    expect(spec(command("python")).lock).not.toBe(spec(result.command("python")).lock);
    expect(spec(command("ray-head")).ray).toMatchObject({ gpus: 2 });
    expect(spec(command("spark-worker-1")).worker).toMatchObject({ gpus: [0, 1] });
    expect(spec(command("spark-worker-2")).worker).toMatchObject({ gpus: [] });
    expect([platform.device, platform.gpus]).toEqual(["cuda", 2]);
    expect(platform.environment).not.toBe(result.platform.environment);
  });

  it("gives lost data a new data id", async () => {
    const { platform, command } = await declared({ existing: { "minio-data": "2" } });
    expect(platform.objectStore.dataId).toBe("2");
    expect(spec(command("minio")).data).toBe("2");
  });

  it("hands credentials over by a secret stdin and nowhere else", async () => {
    const { all, command } = await declared({
      stack: "other",
      config: { minioRootUser: "somebody", minioRootPassword: "hunter2hunter2" },
    });
    const { stdin, ...rest } = command("credentials").inputs;
    expect(stdin).toEqual({
      "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
      value: '{"minioRootUser":"somebody","minioRootPassword":"hunter2hunter2"}',
    });
    const others = all
      .filter((each) => each !== command("credentials"))
      .map(({ inputs }) => inputs);
    expect(JSON.stringify([rest, others])).not.toContain("hunter2");
  });

  it("starts a proxy before the store only for a shaped network, and runs wait for it", async () => {
    expect(result.all.filter(({ name }) => name.includes("toxiproxy"))).toEqual([]);
    const config = { network: "10ms", portOffset: "20000" };
    const { command, platform } = await declared({ config });
    const proxy = command("toxiproxy");
    expect(spec(proxy)).toMatchObject({ upstream: "127.0.0.1:29000" });
    const needs = proxy.dependencies.map((urn) => urn.split("::").pop()).sort();
    expect(needs).toEqual([
      ...["credentials", "services-minio", "services-supervisor"],
      "toolchain-toxiproxy-binary",
    ]);
    const urns = platform.quiet.map((each) => new Promise<string>((done) => each.urn.apply(done)));
    const waitsFor = (await Promise.all(urns)).map((urn) => urn.split("::").pop());
    expect(waitsFor).toEqual(
      expect.arrayContaining(["services-toxiproxy", "toolchain-toxiproxy-binary"]),
    );
    const other = await declared({ config: { ...config, network: "50ms" } });
    expect(spec(other.command("toxiproxy"))).toEqual(spec(proxy)); // it has both delays
  });

  it("declares as many workers as are set", async () => {
    const { all } = await declared({ config: { sparkWorkers: "1" } });
    expect(all.filter(({ name }) => name.startsWith("services-spark-worker-"))).toHaveLength(1);
  });
});
