import * as fs from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { executor as localExecutor } from "../../../infra/targets/local/executor";
import { inspect, stoppedServices } from "../../../infra/targets/local/executor";
import { claimStack } from "../../../infra/stack/claim";
import { stackFiles, supervisorSocket } from "../../../infra/stack/files";
import { serviceStatus } from "../../../infra/targets/local/executor";
import {
  convergeService,
  removeService,
  type Service,
} from "../../../infra/targets/local/services";
import { writeStepRecord } from "../../../infra/stack/records";

const stack = "one";

/** A supervisord that keeps its programs' states in a table and starts whatever it is told to. */
class FakeSupervisor {
  readonly states = new Map<string, string>();
  readonly calls: string[] = [];
  /** The state of a program just started. */
  fate = "RUNNING";
  private pids = 100;
  private readonly server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString()));
    request.on("end", () => {
      const method = /supervisor\.(\w+)/.exec(body)![1];
      const name = /<string>(.*?)<\/string>/.exec(body)?.[1];
      if (!method.startsWith("get")) this.calls.push([method, name].filter(Boolean).join(" "));
      response.end(
        `<methodResponse><params><param><value>${this.answer(method, name)}</value></param></params></methodResponse>`,
      );
    });
  });

  listen(socket: string): Promise<void> {
    return new Promise((ready) => this.server.listen(socket, ready));
  }

  close(): Promise<unknown> {
    return new Promise((closed) => this.server.close(closed));
  }

  private answer(method: string, name = ""): string {
    if (method === "addProcessGroup") this.states.set(name, this.fate);
    if (method === "removeProcessGroup") this.states.delete(name);
    if (method !== "getAllProcessInfo") return "<boolean>1</boolean>";
    const member = (key: string, value: string) =>
      `<member><name>${key}</name><value>${value}</value></member>`;
    const structs = [...this.states].map(
      ([program, state]) =>
        `<value><struct>${member("name", `<string>${program}</string>`)}${member("statename", `<string>${state}</string>`)}` +
        `${member("pid", `<int>${this.pids}</int>`)}${member("start", "<int>10</int>")}${member("now", "<int>70</int>")}` +
        `${member("spawnerr", "<string></string>")}</struct></value>`,
    );
    return `<array><data>${structs.join("")}</data></array>`;
  }
}

const before = { ...process.env };
let supervisor: FakeSupervisor;

beforeEach(async () => {
  process.env.ENGINE_COMPARISON_HOME = fs.mkdtempSync(path.join(os.tmpdir(), "ec-test-"));
  fs.mkdirSync(stackFiles(stack).programs, { recursive: true });
  fs.mkdirSync(stackFiles(stack).logs);
  claimStack(stack, "local", `test-${process.pid}`);
  supervisor = new FakeSupervisor();
  await supervisor.listen(supervisorSocket(stack));
});
afterEach(async () => {
  await supervisor.close();
  fs.rmSync(process.env.ENGINE_COMPARISON_HOME!, { recursive: true, force: true });
  process.env = { ...before };
});

const service = (changed: Partial<Service> = {}): Service => ({
  name: "minio",
  argv: ["minio", "server"],
  env: {},
  directory: "/tmp",
  stopSeconds: 1,
  startSeconds: 1,
  healthy: () => Promise.resolve(true),
  ...changed,
});

describe("a service", () => {
  it("is put under the supervisor and waited for until it is healthy", async () => {
    let asked = 0;
    await convergeService(stack, service({ healthy: () => Promise.resolve(++asked > 2) }), {});
    expect(asked).toBe(3);
    expect(supervisor.calls).toContain("addProcessGroup minio");
    const conf = fs.readFileSync(path.join(stackFiles(stack).programs, "minio.conf"), "utf8");
    expect(conf).toContain(`ENGINE_COMPARISON_SERVICE="test-${process.pid}/minio"`);
  });

  it("is left alone when it runs as declared", async () => {
    await convergeService(stack, service(), { port: 1 });
    supervisor.calls.length = 0;
    await convergeService(stack, service(), { port: 1 });
    expect(supervisor.calls).toEqual([]);
  });

  it("is restarted, and no other, when its spec changed or it does not run", async () => {
    const restarted = [
      "stopProcessGroup minio",
      "removeProcessGroup minio",
      "reloadConfig",
      "addProcessGroup minio",
    ];
    await convergeService(stack, service(), { port: 1 });
    supervisor.calls.length = 0;
    await convergeService(stack, service(), { port: 2 });
    expect(supervisor.calls).toEqual(restarted);

    supervisor.states.set("minio", "FATAL");
    supervisor.calls.length = 0;
    await convergeService(stack, service(), { port: 2 });
    expect(supervisor.calls).toEqual(restarted);
  });

  it("that does not become healthy is ended, and its log's last lines are told", async () => {
    const log = path.join(stackFiles(stack).logs, "minio.log");
    fs.writeFileSync(log, "first\nthe drive is broken\nthe drive is broken\n");
    const never = service({ healthy: () => Promise.resolve(false) });
    await expect(convergeService(stack, never, {})).rejects.toThrow(
      /^minio was not healthy after 1 s \(RUNNING\)\n {2}\| first\n {2}\| the drive is broken\n/,
    );
    expect(supervisor.states.has("minio")).toBe(false);
    expect(fs.existsSync(path.join(stackFiles(stack).programs, "minio.conf"))).toBe(false);
  });

  it("that ends by itself is not waited for", async () => {
    const broken = service({
      healthy: () => {
        supervisor.states.set("minio", "FATAL");
        return Promise.resolve(false);
      },
    });
    await expect(convergeService(stack, broken, {})).rejects.toThrow(
      /^minio ends as soon as it is started \(FATAL/,
    );
  });

  it("that the supervisor gave up is told at once", async () => {
    supervisor.fate = "FATAL";
    const begin = Date.now();
    await expect(convergeService(stack, service({ startSeconds: 60 }), {})).rejects.toThrow(
      "FATAL",
    );
    expect(Date.now() - begin).toBeLessThan(10_000);
  });

  it("is removed again and again, with its log, also when the supervisor is dead", async () => {
    await convergeService(stack, service(), {});
    fs.writeFileSync(path.join(stackFiles(stack).logs, "minio.log"), "x");
    await removeService(stack, "minio");
    expect(supervisor.states.has("minio")).toBe(false);
    expect(fs.existsSync(stackFiles(stack).logs)).toBe(false);
    await convergeService(stack, service(), {});
    expect(fs.existsSync(stackFiles(stack).logs)).toBe(true);
    await supervisor.close();
    await removeService(stack, "minio");
  });
});

describe("what of a stack stands", () => {
  const stand = (name: string) => writeStepRecord(stack, name, { generation: "4", result: {} });

  it("keeps its generation, and what has fallen gets the next one", async () => {
    ["supervisor", "minio", "ray-head", "minio-data"].forEach(stand);
    supervisor.states.set("minio", "RUNNING").set("ray-head", "FATAL");
    const existing = await inspect(stack);
    expect(existing.generation("supervisor")).toBe("4");
    expect(existing.generation("minio")).toBe("4");
    expect(existing.generation("ray-head")).toBe("5, after it stopped");
    expect(existing.generation("minio-data")).toBe("5, after it was removed");
    expect(existing.generation("spark-master")).toBe("1");
    expect(stoppedServices(stack, existing)).toEqual(["ray-head"]);
    expect(existing.alive("minio")).toBe(true);
    expect(existing.alive("spark-master")).toBe(false);
  });

  it("is seen by the mark on MinIO's drive", async () => {
    stand("minio-data");
    fs.mkdirSync(stackFiles(stack).minioData, { recursive: true });
    fs.writeFileSync(stackFiles(stack).minioDataId, "");
    expect((await inspect(stack)).generation("minio-data")).toBe("4");
  });

  it("keeps the generation that is on MinIO's drive where the record is gone", async () => {
    fs.mkdirSync(stackFiles(stack).minioData, { recursive: true });
    fs.writeFileSync(stackFiles(stack).minioDataId, "3, after it was removed");
    expect((await inspect(stack)).generation("minio-data")).toBe("3, after it was removed");
  });

  it("is no service at all when the supervisor is dead", async () => {
    ["supervisor", "minio"].forEach(stand);
    await supervisor.close();
    expect(stoppedServices(stack, await inspect(stack))).toEqual(["minio"]);
    expect(await serviceStatus(stack)).toMatchObject([{ name: "minio", state: "DEAD" }]);
  });

  it("is told to people with process, time and page", async () => {
    writeStepRecord(stack, "minio", {
      generation: "1",
      result: { console: "http://127.0.0.1:9001" },
    });
    supervisor.states.set("minio", "RUNNING");
    expect(await serviceStatus(stack)).toMatchObject([
      { name: "minio", state: "RUNNING", pid: 100, uptime: 60, url: "http://127.0.0.1:9001" },
    ]);
  });
});

it("a job on Ray, whatever its engine, has the head of Ray counted with it, and one on no cluster nothing", async () => {
  for (const name of ["minio", "spark-master", "ray-head"]) supervisor.states.set(name, "RUNNING");
  writeStepRecord(stack, "minio", { generation: "1", result: { endpoint: "http://127.0.0.1:1" } });
  fs.writeFileSync(stackFiles(stack).credentials, JSON.stringify({ minioRootUser: "me" }));
  const executor = localExecutor(stack);
  expect((await executor.connection("ray")).services).toEqual([{ name: "ray-head", pid: 100 }]);
  expect((await executor.connection("none")).services).toEqual([]);
});
