import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EmbeddedError } from "../../../embedded";
import { logged, Project, type GraphNode } from "./graph";

/** Generous: the machine may be busy. */
const LONG = 120_000;

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\tZ/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Ids of the processes that run the program of a folder. */
function programs(folder: string): number[] {
  const found = spawnSync("pgrep", ["-f", `cmd/run.* --pwd ${folder} `], { encoding: "utf8" });
  return found.stdout.split("\n").filter(Boolean).map(Number);
}

describe("a deployment through the SDK", () => {
  let project: Project;
  beforeEach(() => {
    project = new Project();
  });
  afterEach(() => project.remove());

  const thing = (name: string, value: string, more: Partial<GraphNode> = {}): GraphNode => ({
    name,
    ...more,
    inputs: {
      ...logged(name, ["create", "update", "delete"]),
      environment: { V: value },
      ...more.inputs,
    },
  });
  const nodes = (value: string): GraphNode[] => [
    thing("a", value),
    thing("b", value, { inputs: { stdin: { $stdout: "a" } } }),
    thing("c", value),
    { name: "group", component: true, dependsOn: ["b"] },
    thing("d", value, { parent: "group" }),
  ];

  it(
    "with a failed step ends the program without further words and keeps the state",
    async () => {
      project.write([...nodes("1"), thing("gone", "1")]);
      expect(await project.up()).toMatchObject({ ok: true });
      const before = project.state();
      project.log();
      project.break("a", "update");
      const outcome = await project.write(nodes("2")).up();
      expect(outcome.ok).toBe(false);
      expect(outcome.errors).toEqual([expect.stringMatching(/^a: exit status 1: running "echo/)]);
      expect(project.logs("error")).toEqual([]);
      expect(project.logs("warning")).toEqual([]);
      expect(project.log()).not.toContain("delete gone");
      expect(project.state().a).toEqual(before.a);
      expect(Object.keys(project.state()).sort()).toEqual(Object.keys(before).sort());
    },
    LONG,
  );

  it(
    "goes on with the rest where that is wanted, and tells the program what failed",
    async () => {
      project.break("a", "create");
      const outcome = await project.write(nodes("1")).up({ continueOnError: true });
      expect(outcome.ok).toBe(false);
      expect(project.log().sort()).toEqual(["create a", "create c"]);
      const told = project.events.flatMap((event) =>
        event.kind === "failed" || event.kind === "skipped" ? [[event.kind, event.name]] : [],
      );
      expect(told.sort()).toEqual([
        ["failed", "a"],
        ["skipped", "b"],
        ["skipped", "d"],
        ["skipped", "group"],
      ]);
      expect(outcome.outputs).toEqual({
        stdouts: { a: "[unknown]", b: "[unknown]", c: "c create", d: "[unknown]" },
      });

      project.break("a", "create", false);
      expect(await project.up({ continueOnError: true })).toMatchObject({ ok: true, errors: [] });
      expect(project.log().sort()).toEqual(["create a", "create b", "create d"]);
    },
    LONG,
  );

  it(
    "of a program that throws reports the error, deletes nothing and keeps what was done",
    async () => {
      await project.write([thing("a", "1"), thing("gone", "1")]).up();
      project.log();
      const outcome = await project.write([thing("a", "2")], true).up();
      expect(outcome.ok).toBe(false);
      expect(outcome.errors.join()).toContain("the program was told to fail");
      expect(project.log()).toEqual(["update a"]);
      expect(Object.keys(project.state())).toContain("gone");
    },
    LONG,
  );

  it(
    "on the first signal waits for what runs, on the second kills it",
    async () => {
      const [stop, kill] = [new AbortController(), new AbortController()];
      project.write([
        { name: "short", inputs: { create: "echo on >> log; sleep 1; echo short" } },
        { name: "next", inputs: { create: "echo next >> log", stdin: { $stdout: "short" } } },
        { name: "long", inputs: { create: "echo on >> log; sleep 600" } },
      ]);
      const started = () => project.events.filter(({ kind }) => kind === "start").length;
      const running = project.up({ signal: stop.signal, killSignal: kill.signal });
      while (started() < 2) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      stop.abort();
      await new Promise((resolve) => setTimeout(resolve, 2000));
      kill.abort();
      const outcome = await running;
      expect(outcome.ok).toBe(false);
      expect(outcome.errors[0]).toBe("canceled");
      expect(outcome.errors[1]).toContain("long: signal: SIGKILL (canceled)");
      expect(project.log()).toEqual(["on", "on"]);
      expect(Object.keys(project.state())).toContain("short");
      expect(Object.keys(project.state())).not.toContain("long");
      expect(fs.readdirSync(project.stackFolder).sort()).toEqual(["state.json", "state.json.bak"]);
    },
    LONG,
  );

  it(
    "that is killed leaves a state, a lock and a pending step that the next one deals with",
    async () => {
      project.write([
        { name: "a", inputs: { create: "echo a" } },
        {
          name: "b",
          inputs: { create: "echo $$ > begun; exec sleep 600", stdin: { $stdout: "a" } },
        },
      ]);
      const script = `
      require(${JSON.stringify(path.resolve("embedded"))})
        .up({ ...${JSON.stringify(project.options())}, onEvent: () => {} });`;
      const other = spawn(process.execPath, ["--import", "tsx", "-e", script], {
        stdio: "inherit",
      });
      while (!fs.existsSync(path.join(project.dir, "begun"))) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const second = await project.up().catch((error: unknown) => error);
      expect(second).toBeInstanceOf(EmbeddedError);
      expect((second as EmbeddedError).what).toContain(`process ${other.pid}`);
      expect(programs(project.dir)).toHaveLength(1);
      other.kill("SIGKILL");
      await once(other, "exit");
      // Nobody is left to wait for the program and the command, so they are ended too.
      await expect.poll(() => programs(project.dir), { timeout: 20_000 }).toEqual([]);
      const command = Number(fs.readFileSync(path.join(project.dir, "begun"), "utf8"));
      await expect.poll(() => runs(command), { timeout: 20_000 }).toBe(false);

      project.write([{ name: "a", inputs: { create: "echo a" } }]);
      expect(await project.up()).toMatchObject({ ok: true, changes: { same: 2 } });
      expect(project.logs("warning")).toEqual([
        expect.stringContaining(
          "interrupted while creating urn:pulumi:test::graph::command:local:Command::b",
        ),
      ]);
      await project.up();
      expect(project.logs("warning")).toEqual([]);
    },
    LONG,
  );

  it(
    "is refused on a broken state before anything runs",
    async () => {
      await project.write([thing("a", "1")]).up();
      project.log();
      fs.writeFileSync(path.join(project.stackFolder, "state.json"), "{");
      await expect(project.write([thing("b", "1")]).up()).rejects.toThrow(/cannot be used/);
      expect(project.log()).toEqual([]);
    },
    LONG,
  );

  it(
    "asks no proxy for the way to its own monitor",
    async () => {
      vi.stubEnv("grpc_proxy", "http://127.0.0.1:9");
      vi.stubEnv("no_proxy", "example.org, 127.0.0.1");
      const outcome = await project.write([thing("a", "1")]).up();
      vi.unstubAllEnvs();
      expect(outcome).toMatchObject({ ok: true, errors: [] });
    },
    LONG,
  );

  it(
    "of forty unchanged Commands takes a few seconds",
    async () => {
      project.write(
        Array.from({ length: 40 }, (_, i) => ({ name: `c${i}`, inputs: { create: `echo ${i}` } })),
      );
      await project.up();
      const begun = Date.now();
      expect(await project.up()).toMatchObject({ ok: true, changes: { same: 41 } });
      // 1.5 to 2 s on two idle cores; this only finds what went badly wrong.
      expect(Date.now() - begun).toBeLessThan(30_000);
    },
    LONG,
  );
});
