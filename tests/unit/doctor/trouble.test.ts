import * as fs from "node:fs";
import * as http from "node:http";
import type * as net from "node:net";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exitCode } from "../../../cli/cli";
import { allChecks } from "../../../cli/checks";
import { contextOf, runCheck } from "../../../infra/contracts/check";
import type { StackContext } from "../../../infra/host/checks";
import { stackFiles } from "../../../infra/stack/files";
import { ports } from "../../../infra/settings/ports";
import { readSettings } from "../../../infra/targets/readSettings";
import { lockedVersion } from "../../../infra/toolchain/locks";
import { writeStepRecord } from "../../../infra/stack/records";
import type { UserError } from "../../../infra/contracts/errors";
import { writeRecord } from "../../../results/records";
import { defaultConfig, largeMachine } from "../../defaults";
import { freshHome } from "../cli/home";
import { problems } from "./problems";

// Trouble that is made for real, as far as it can be had in a moment; tests/long has the rest.

const home = freshHome();
const before = { ...process.env };
const servers: http.Server[] = [];

beforeEach(() => {
  fs.mkdirSync(path.join(home(), "bin"));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const name of ["PATH", "JAVA_HOME", "DOCKER_HOST"]) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
});

function subject(config: Record<string, string> = {}, portOffset?: string): StackContext {
  const settings = readSettings(defaultConfig({ target: "local", ...config }), largeMachine);
  // The schema would not take every offset: a test's server has any free port.
  const moved = portOffset === undefined ? {} : { portOffset: Number(portOffset) };
  const all = { ...settings, ...moved };
  return contextOf({ stack: "one", settings: all, id: undefined, deployed: true });
}

/** What one check finds, whatever it waits for. */
async function found(id: string, of: StackContext): Promise<readonly UserError[]> {
  const one = (await allChecks(of.settings.target)).find((check) => check.id === id);
  if (!one || !(one.applies?.(of) ?? true)) throw new Error(`${id} does not apply`);
  return runCheck(one, of);
}

/** Puts a program of the test's own on PATH, in place of all others. */
function program(name: string, script: string): void {
  fs.writeFileSync(path.join(home(), "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env.PATH = path.join(home(), "bin");
}

/** Answers every request, or some paths, and takes as offset what gives `port(0)` its port. */
async function answering(
  body: string | Readonly<Record<string, string>>,
  port: (offset: number) => number,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ listening: number; portOffset: string }> {
  const server = http.createServer(({ url = "" }, response) => {
    response.writeHead(200, headers);
    response.end(typeof body === "string" ? body : body[url]);
  });
  servers.push(server);
  await new Promise<void>((up) => server.listen(0, "127.0.0.1", up));
  const listening = (server.address() as net.AddressInfo).port;
  return { listening, portOffset: String(listening - port(0)) };
}

/** A port of the loopback interface that nobody listens on. */
async function silentPort(port: (offset: number) => number) {
  const answer = await answering("", port);
  await new Promise((closed) => servers.pop()!.close(closed));
  return answer;
}

const at = (portOffset: string) => subject({}, portOffset);

describe("jdk", () => {
  function jdk(version: string, modules: string): void {
    const folder = path.join(home(), "jdk");
    fs.mkdirSync(path.join(folder, "bin"), { recursive: true });
    fs.writeFileSync(path.join(folder, "bin", "java"), "");
    fs.writeFileSync(
      path.join(folder, "release"),
      `JAVA_VERSION="${version}"\nMODULES="${modules}"\n`,
    );
    process.env.JAVA_HOME = folder;
  }

  it.each([
    ["17.0.15", "java.base jdk.incubator.vector", ""],
    ["17.0.15", "java.base java.sql", "lacks the module jdk.incubator.vector"],
    ["11.0.2", "java.base jdk.incubator.vector", "a full JDK 17 or 21 is needed; found: "],
    ["25", "java.base jdk.incubator.vector", "a full JDK 17 or 21 is needed; found: "],
    ["", "", "a full JDK 17 or 21 is needed; found: none"],
  ])("%s with %s", async (version, modules, words) => {
    process.env.PATH = path.join(home(), "bin");
    delete process.env.JAVA_HOME;
    if (version) jdk(version, modules);
    const said = problems(await found("jdk", subject()));
    if (words === "") expect(said).toBe("");
    else expect(said).toContain(words);
  });
});

it("python: none", async () => {
  process.env.PATH = path.join(home(), "bin");
  expect(problems(await found("python", subject()))).toContain("Python 3.10 to 3.13 is needed");
});

it("ports: one that somebody has", async () => {
  const { portOffset, listening } = await answering("", (offset) => ports(offset).minio.api);
  expect(problems(await found("ports", at(portOffset)))).toMatch(
    new RegExp(`^port ${listening} is taken by .*\\(pid ${process.pid}\\)$`),
  );
});

describe("gpu", () => {
  const amd64 = process.arch === "x64";

  it.each([
    ["gpu", "echo 'NVIDIA A10, 23028 MiB, 20 MiB'", amd64 ? "" : "no CUDA build"],
    ["gpu-memory", "echo 'NVIDIA A10, 23028 MiB, 22900 MiB'", "128 MiB of"],
    [
      "gpu",
      "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
      "mismatch",
    ],
  ])("%s: %s", async (id, script, words) => {
    program("nvidia-smi", script);
    const said = problems(await found(id, subject({ gpu: "required" })));
    if (words === "") expect(said).toBe("");
    else expect(said).toContain(words);
  });

  it("none, and one is required: nothing is touched", async () => {
    process.env.PATH = path.join(home(), "bin");
    const said = problems(await found("gpu", subject({ gpu: "required" })));
    expect(said).toBe("gpu is required, but there is no nvidia-smi");
    expect(fs.readdirSync(home())).toEqual(["bin"]);
  });
});

describe("docker", () => {
  it("no program", async () => {
    process.env.PATH = path.join(home(), "bin");
    const said = problems(await found("docker", subject({ target: "docker" })));
    expect(said).toContain("the `docker` command is not on PATH");
  });

  it("no daemon", async () => {
    const said = "Cannot connect to the Docker daemon at unix:///nowhere.sock.";
    program(
      "docker",
      `[ "$1" = context ] && echo unix:///nowhere.sock || { echo '${said}' >&2; exit 1; }`,
    );
    expect(problems(await found("docker", subject({ target: "docker" })))).toContain(said);
  });
});

describe("pulumi", () => {
  it("an old one", async () => {
    program("pulumi", "echo v3.99.0");
    expect(problems(await found("pulumi", subject({ target: "docker" })))).toContain("is v3.99.0");
  });
});

describe("store", () => {
  function standing(port: number): void {
    const result = { endpoint: `http://127.0.0.1:${port}` };
    writeStepRecord("one", "minio", { generation: "1", result });
    const keys = { minioRootUser: "me", minioRootPassword: "secret-enough" };
    fs.writeFileSync(stackFiles("one").credentials, JSON.stringify(keys));
  }

  it("a silent one", async () => {
    standing((await silentPort(() => 0)).listening);
    expect(problems(await found("store", subject()))).toMatch(
      /does not answer at .* \(ECONNREFUSED\)/,
    );
    expect(problems(await found("data", subject()))).toContain("the object store does not answer");
  });

  it("somebody else", async () => {
    standing((await answering("hello", () => 0, { server: "nginx" })).listening);
    expect(problems(await found("store", subject()))).toContain(
      "is answered by nginx, not by MinIO",
    );
  });
});

describe("spark", () => {
  const ui = (offset: number) => ports(offset).sparkMaster.ui;
  const worker = { state: "ALIVE", cores: 1, memory: 2048 };
  const page = (workers: number) =>
    JSON.stringify({ status: "ALIVE", workers: Array(workers).fill(worker), activeapps: [] });

  it.each([
    [2, ""],
    [1, "1 of 2 Spark workers are registered"],
  ])("%i workers", async (workers, words) => {
    const { portOffset } = await answering(page(workers), ui);
    expect(problems(await found("spark", at(portOffset)))).toContain(words);
  });

  it("a silent master", async () => {
    const { portOffset } = await silentPort(ui);
    expect(problems(await found("spark", at(portOffset)))).toContain("master does not answer");
  });

  it("a cluster of another version", async () => {
    const html = '<span class="version" style="margin-right: 15px;">3.5.1</span>';
    const { portOffset } = await answering({ "/json/": page(2), "/": html }, ui);
    expect(problems(await found("spark", at(portOffset)))).toContain(
      "is version 3.5.1, and its clients",
    );
  });
});

describe("ray", () => {
  const dashboard = (offset: number) => ports(offset).ray.dashboard;
  const nodes = (state: string) => JSON.stringify({ data: { result: { result: [{ state }] } } });
  const answers = (version: string, state: string) => ({
    "/api/version": JSON.stringify({ version: "4", ray_version: version }),
    "/api/v0/nodes?detail=1&limit=1000": nodes(state),
  });

  it("a silent head", async () => {
    const { portOffset } = await silentPort(dashboard);
    expect(problems(await found("ray", at(portOffset)))).toContain("Ray's head does not answer");
  });

  it.each([
    ["2.9.3", "ALIVE", "is version 2.9.3, and its clients"],
    [lockedVersion("ray"), "DEAD", "0 of 1 nodes"],
  ])("a cluster of version %s whose node is %s", async (version, state, words) => {
    const { portOffset } = await answering(answers(version, state), dashboard);
    expect(problems(await found("ray", at(portOffset)))).toContain(words);
  });
});

it("runs: one that failed, with its log and the row of its cause", async () => {
  const run = "spark/taxi-report";
  const log = path.join(home(), "x.log");
  const failed = { key: "k", attempt: "a", log, reason: "out of memory", published: null };
  const summary = { ...failed, status: "failed", verified: false } as const;
  writeRecord("one", run, { summary, at: "" });
  const [error] = await found("runs", subject());
  expect(error.what).toBe("spark/taxi-report failed last: out of memory");
  expect(error.why).toContain(log);
  expect(error.fix).toContain("row memory of docs/troubleshooting.md");
});

describe("the exit code", () => {
  /** What `npm run doctor` ends with on a machine that is not looked at further, and what it says. */
  async function doctor(...args: string[]): Promise<[number, string]> {
    const lines: string[] = [];
    const spies = (["log", "error"] as const).map((stream) =>
      vi.spyOn(console, stream).mockImplementation((line: string) => void lines.push(line)),
    );
    try {
      return [await exitCode(["doctor", ...args]), lines.join("\n")];
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  }

  it("is 1 for trouble, which is printed with cause and fix", async () => {
    process.env.PATH = path.join(home(), "bin");
    delete process.env.JAVA_HOME;
    const [code, said] = await doctor("--stack", "one");
    expect(code).toBe(1);
    expect(said).toMatch(/^wrong {2}jdk: a full JDK .*\n {2}why: .*\n {2}do: {2}install one/m);
    expect(said).toContain("stack one is not deployed: only the machine was looked at");
    const [, json] = await doctor("--stack", "one", "--json");
    const { deployed, checks } = JSON.parse(json) as {
      deployed: boolean;
      checks: { check: string; wrong: { what: string; why: string; fix: string }[] }[];
    };
    expect(deployed).toBe(false);
    expect(checks.find(({ check }) => check === "jdk")?.wrong).toHaveLength(1);
    expect(checks.find(({ check }) => check === "limits")).toBeDefined();
  });

  it.each([
    [["--nonsense"], "--nonsense"],
    [["minio"], "one argument too many"],
  ])("is 2 for wrong use: %j", async (args, words) => {
    const [code, said] = await doctor(...args);
    expect(code).toBe(2);
    expect(said).toContain(words);
  });

  it("is 2 for settings that make no sense", async () => {
    fs.mkdirSync(path.join(home(), "one"));
    fs.writeFileSync(
      path.join(home(), "one", "Pulumi.one.yaml"),
      "config:\n  engine-comparison:sparkWorkers: none\n",
    );
    const [code, said] = await doctor("--stack", "one");
    expect(code).toBe(2);
    expect(said).toContain("engine-comparison:sparkWorkers");
  });
});
