import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { Docker } from "../../../infra/targets/docker/daemon";
import { watchContainers } from "../../../infra/targets/docker/memory";

/** A daemon in whose containers a shell script runs instead of the sampler. */
function daemon(scripts: Readonly<Record<string, string>>) {
  const started = new Map<string, ReturnType<Docker["start"]>>();
  const docker = {
    start(args: readonly string[]) {
      const child = spawn("bash", ["-c", scripts[args[2]]], { stdio: "pipe" });
      started.set(args[2], child);
      return child;
    },
  } as unknown as Docker;
  return { docker, started };
}

/** Answers each line by what it got and how many lines came before. */
const echo = (name: string) =>
  `n=0; while read -r line; do echo '{"${name}": "'$line'", "n": '$n'}'; n=$((n+1)); done`;
/** As {@link echo}, after the line that says what is watched. */
const sampler = (name: string) => `read -r first; ${echo(name)}`;

describe("the containers of an engine", () => {
  it("are asked together, and answer in order, the store last", async () => {
    const { docker, started } = daemon({
      app: sampler("app"),
      worker: sampler("worker"),
      minio: echo("minio"),
    });
    const watch = await watchContainers(docker, ["app", "worker"], "minio");
    expect(await watch.ask("begin")).toEqual([
      { app: "begin", n: 1 },
      { worker: "begin", n: 1 },
      { minio: "begin", n: 1 },
    ]);
    expect(await watch.ask("read")).toMatchObject([{ app: "read" }, { n: 2 }, { minio: "read" }]);
    await watch.stop();
    expect([...started.values()].map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
  });

  it("leave no sampler behind where one of them cannot be read", async () => {
    const { docker, started } = daemon({
      app: sampler("app"),
      worker: "echo 'no such container' >&2; exit 1",
      minio: echo("minio"),
    });
    await expect(watchContainers(docker, ["app", "worker"], "minio")).rejects.toThrow(
      "no memory can be read in container worker: no such container",
    );
    expect([...started.values()].map(({ exitCode }) => exitCode)).toEqual([0, 1, 0]);
  });

  it("are no longer waited for when a sampler was killed", async () => {
    const { docker, started } = daemon({ app: sampler("app"), minio: echo("minio") });
    const watch = await watchContainers(docker, ["app"], "minio");
    started.get("app")!.kill("SIGKILL");
    await expect(watch.ask("read")).rejects.toThrow("container app: its sampler ended");
    await watch.stop();
  });
});
