/**
 * Trouble with containers, made on this machine's Docker daemon with containers of the test's own,
 * which have a stack's label and names: one out of memory, one that comes and goes, one that is gone,
 * a small /dev/shm, a name that is taken. tests/e2e/docker.test.ts asks for a whole stack.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { bases } from "../../infra/targets/docker/base";
import { labels, names, type Role } from "../../infra/targets/docker/inspect";
import { eventually, freeOffset } from "../e2e/stack";
import { doctor, type Diagnosis } from "./diagnosis";

vi.setConfig({ testTimeout: 180_000 });

const stack = `ill${process.pid}`;
const image = process.env.ENGINE_COMPARISON_BASE_IMAGE ?? bases.cpu;

function docker(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync("docker", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`docker ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

const succeeds = (...args: string[]) =>
  spawnSync("docker", args, { timeout: 300_000 }).status === 0;

/** Why no container can be started here, or nothing. */
function whyNot(): string | undefined {
  if (!succeeds("info")) return "`docker info` does not answer";
  return succeeds("image", "inspect", image) || succeeds("pull", image)
    ? undefined
    : `there is no image ${image}, and ENGINE_COMPARISON_BASE_IMAGE names no other`;
}

const reason = whyNot();

describe(`containers${reason ? ` (skipped: ${reason})` : ""}`, () => {
  const test = reason ? it.skip : it;
  let home: string;

  beforeAll(() => {
    home = fs.mkdtempSync(path.join(os.tmpdir(), "ec-docker-"));
    fs.mkdirSync(path.join(home, stack));
    const config = {
      target: "docker",
      portOffset: freeOffset(18_900),
      gpu: "off",
      rayObjectStoreMemory: "1g",
    };
    fs.writeFileSync(
      path.join(home, stack, `Pulumi.${stack}.yaml`),
      [
        "config:",
        ...Object.entries(config).map(([key, value]) => `  engine-comparison:${key}: "${value}"`),
        "",
      ].join("\n"),
    );
    const checkout = fs.realpathSync(path.join(__dirname, "../.."));
    const place = { checkout, backend: "stack folder" };
    const owner = { id: stack, ...place, target: "docker", runner: "pulumi" };
    fs.writeFileSync(path.join(home, stack, "owner.json"), JSON.stringify(owner));
  });

  afterAll(() => {
    const all = docker("ps", "--all", "--quiet", "--filter", `label=${labels.id}=${stack}`);
    for (const id of all.split("\n").filter(Boolean)) docker("rm", "--force", id);
    fs.rmSync(home, { recursive: true, force: true });
  });

  const look = (env: NodeJS.ProcessEnv = {}): Promise<Diagnosis> =>
    doctor(["--stack", stack], { ENGINE_COMPARISON_HOME: home, ...env });

  const nameOf = (role: Role) => names(stack).container(role);

  /** Starts a container in a role of the stack. */
  function run(role: Role, options: readonly string[], script: string): void {
    const label = ["--label", `${labels.id}=${stack}`];
    docker(
      "run",
      "--detach",
      "--name",
      nameOf(role),
      ...label,
      ...options,
      image,
      "sh",
      "-c",
      script,
    );
  }

  test("killed: a container that ran out of memory, and one that comes and goes", async () => {
    // `tail` keeps the last line, and this one has no end.
    run("app", ["--memory", "32m", "--memory-swap", "32m"], "tail /dev/zero");
    run("minio", ["--restart", "always"], "sleep 0.2; exit 3");
    await eventually("the one is killed and the other came back", 60, () => {
      const inspect = ["inspect", "--format", "{{.State.OOMKilled}} {{.RestartCount}}"];
      const killed = docker(...inspect, nameOf("app")).startsWith("true");
      return killed && Number(docker(...inspect, nameOf("minio")).split(" ")[1]) > 0;
    });
    const { code, wrong, text } = await look();
    expect(code).toBe(1);
    expect(wrong.killed).toEqual(
      expect.arrayContaining([
        `a process in container ${nameOf("app")} was killed because its 32 MiB of memory were used up (OOMKilled)`,
        expect.stringMatching(
          `^Docker has restarted container ${nameOf("minio")} \\d+ times(; it ended with exit code 3)?$`,
        ),
      ]),
    );
    expect(text).toContain('containerMemory={\\"app\\"');
    expect(wrong.services).toContainEqual(
      expect.stringMatching(`^${nameOf("app")} is Exited \\(137\\)`),
    );
    docker("rm", "--force", nameOf("app"), nameOf("minio"));
  });

  test("killed: a process in a container that goes on", async () => {
    run("app", ["--memory", "32m", "--memory-swap", "32m"], "(tail /dev/zero); sleep 600");
    const events = ["events", "--since", "2m", "--until", "0s", "--filter", "event=oom"];
    await eventually("it is killed", 60, () =>
      docker(...events, "--filter", `container=${nameOf("app")}`).includes("oom"),
    );
    const { wrong } = await look();
    expect(wrong.killed).toEqual([
      expect.stringMatching(`${nameOf("app")} was killed .*OOMKilled`),
    ]);
    docker("rm", "--force", nameOf("app"));
  });

  test("services, shm: containers that are gone, and a small /dev/shm", async () => {
    run("ray-worker", ["--shm-size", "64m"], "sleep 600");
    const { code, wrong } = await look();
    expect(code).toBe(1);
    expect(wrong.services).toContain(`${nameOf("minio")} does not exist`);
    expect(wrong.services).not.toContain(`${nameOf("ray-worker")} does not exist`);
    expect(wrong.shm).toEqual([
      `/dev/shm of ${nameOf("ray-worker")} has 64m, and rayObjectStoreMemory is 1024m`,
    ]);
    docker("rm", "--force", nameOf("ray-worker"));
  });

  test("names: one that somebody else has", async () => {
    docker("create", "--name", nameOf("minio"), image, "true");
    const { code, wrong } = await look();
    docker("rm", nameOf("minio"));
    expect(code).toBe(1);
    expect(wrong.names).toEqual([
      `the Docker daemon has container ${nameOf("minio")}, which stack ${stack} has not made`,
    ]);
  });

  test("docker: no daemon there, and what would only be its effect is left out", async () => {
    const { code, wrong, skipped } = await look({ DOCKER_HOST: "unix:///nowhere/docker.sock" });
    expect(code).toBe(1);
    expect(wrong.docker).toEqual([expect.stringMatching("needs a Docker daemon: .*docker.sock")]);
    expect(skipped).toMatchObject({ services: "docker", killed: "docker", disk: "docker" });
  });
});
