import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { Docker } from "../../../infra/targets/docker/daemon";
import { parseReading, watchContainers } from "../../../infra/targets/docker/memory";

describe("a reading of a container", () => {
  // version, used, file cache, cpu, then the machine's user nice system idle iowait irq softirq steal
  it("counts memory without the file cache, and CPU in seconds (cgroup 1)", () => {
    expect(parseReading("1 1000 300 2500000000 100 50 50 9999 7 10 20 30 0 0")).toEqual({
      memory: 700,
      cpu: 2.5,
      machine: 2.6,
    });
  });

  it("reads microseconds with cgroup 2", () => {
    expect(parseReading("2 1000 0 2500000 100 0 0 0 0 0 0 0")?.cpu).toBe(2.5);
  });

  it.each(["", "bash: no such file", "1 2 3"])("is nothing else: %j", (line) => {
    expect(parseReading(line)).toBeUndefined();
  });
});

describe("the containers of an engine", () => {
  /** A daemon whose containers say the lines that a test gives them, each when it is told to. */
  function containers() {
    const said = new Map<string, (line: string) => void>();
    const samplers = new Map<string, ReturnType<Docker["start"]>>();
    const docker = {
      start: (args: readonly string[]) => {
        const child = spawn("cat", { stdio: "pipe" });
        samplers.set(args[2], child);
        said.set(args[2], (line) => child.stdin.write(line + "\n"));
        return child;
      },
    } as unknown as Docker;
    return { docker, samplers, say: (id: string, line: string) => said.get(id)!(line) };
  }
  const line = (memory: number, cpu: number, machine: number) =>
    `2 ${memory} 0 ${cpu * 1e6} ${machine * 100} 0 0 0 0 0 0 0`;

  it("are measured together from before the job on, and what is left is others'", async () => {
    const { docker, say } = containers();
    const begun = watchContainers(docker, ["app", "worker"], "minio");
    say("app", line(100, 1, 50));
    say("worker", line(30, 2, 50));
    say("minio", line(999, 7, 50));
    const watch = await begun;
    expect(watch.read()).toEqual({
      memoryMeasure: "cgroup",
      peakMemoryBytes: 130,
      idleMemoryBytes: 130,
      cpuSeconds: 0,
      othersCpuSeconds: 0,
      readings: 1,
    });
    say("app", line(500, 4, 60));
    await expect.poll(() => watch.read().peakMemoryBytes).toBe(530);
    say("app", line(90, 4, 60));
    say("worker", line(20, 3, 60));
    say("minio", line(999, 9, 60));
    await expect.poll(() => watch.read().othersCpuSeconds).toBe(4);
    expect(watch.read()).toMatchObject({
      peakMemoryBytes: 530,
      idleMemoryBytes: 130,
      cpuSeconds: 4,
    });
    await watch.stop();
    await watch.stop();
  });

  it("are no longer waited for when a sampler was killed", async () => {
    const { docker, samplers, say } = containers();
    const begun = watchContainers(docker, ["app"], "minio");
    say("app", line(100, 1, 50));
    say("minio", line(999, 7, 50));
    const watch = await begun;
    const killed = samplers.get("app")!;
    killed.kill("SIGKILL");
    await expect.poll(() => killed.signalCode).toBe("SIGKILL");
    await new Promise((done) => setTimeout(done, 50)); // it has closed its pipes, too
    await watch.stop();
  });

  it("leave no sampler behind where one of them cannot be read", async () => {
    const { docker, samplers, say } = containers();
    const begun = watchContainers(docker, ["app"], "minio");
    say("minio", line(999, 7, 50));
    samplers.get("app")!.stdin.end();
    await expect(begun).rejects.toThrow("no memory can be read in container app");
    expect(samplers.get("minio")!.exitCode).toBe(0);
  });
});
