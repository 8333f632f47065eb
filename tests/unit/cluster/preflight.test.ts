import * as http from "node:http";
import * as net from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { contextOf, preflight } from "../../../infra/contracts/check";
import { checks, leaderOf, sized, sizeOf, wrongSpark } from "../../../infra/targets/cluster/checks";
import { viewOf } from "../../../infra/targets/cluster/executor";
import type { MasterPage } from "../../../infra/targets/serviceChecks";
import { lockedVersion } from "../../../infra/toolchain/locks";
import { machine } from "../../../infra/host/room";
import { readSettings } from "../../../infra/targets/readSettings";
import type { Settings } from "../../../infra/settings/schema";
import { defaultConfig, largeMachine } from "../../defaults";

/** What a dashboard of Ray answers, by path. */
let answers: Record<string, unknown>;
let dashboard: http.Server;
let master: net.Server;
let page: http.Server;
/** What the master's page says, or undefined where it says nothing. */
let told: { version: string; url: string; workers: object[] } | undefined;
let ports: { dashboard: number; master: number; page: number };

beforeEach(async () => {
  answers = {
    "/api/version": { ray_version: lockedVersion("ray") },
    "/api/v0/nodes": nodes({ CPU: 1 }, { CPU: 2 }),
  };
  dashboard = http.createServer((request, response) => {
    const allowed = request.headers.authorization === "Bearer the-token";
    const answer = answers[new URL(request.url!, "http://x").pathname];
    response.writeHead(allowed ? (answer === undefined ? 404 : 200) : 401);
    response.end(JSON.stringify(answer ?? {}));
  });
  master = net.createServer((socket) => socket.end());
  page = http.createServer((request, response) => {
    response.writeHead(told ? 200 : 404);
    const html = `<span class="version" style="x">${told?.version}</span>`;
    response.end(request.url === "/json/" ? JSON.stringify(told ?? {}) : html);
  });
  await Promise.all([dashboard, master, page].map(listening));
  ports = { dashboard: portOf(dashboard), master: portOf(master), page: portOf(page) };
  const worker = { state: "ALIVE", cores: 2, memory: 4096 };
  told = {
    version: lockedVersion("pyspark"),
    url: `spark://127.0.0.1:${ports.master}`,
    workers: [worker, worker, { ...worker, state: "DEAD" }],
  };
});
afterEach(() => {
  dashboard.close();
  master.close();
  page.close();
});

const nodes = (...resources: object[]) => ({
  data: { result: { result: resources.map((has) => ({ state: "ALIVE", resources_total: has })) } },
});

const listening = (server: net.Server) =>
  new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port;

async function look(changed: Record<string, string> = {}): Promise<Settings> {
  const config = {
    target: "cluster",
    objectStore: "s3",
    s3Endpoint: "https://s3.example",
    s3AccessKey: "key",
    s3SecretKey: "secret",
    sparkMaster: `spark://127.0.0.1:${ports.master}`,
    sparkMasterUi: `http://127.0.0.1:${ports.page}`,
    rayAddress: `http://127.0.0.1:${ports.dashboard}`,
    rayToken: "the-token",
    clusterSize: "stated",
    ...changed,
  };
  const settings = readSettings(defaultConfig(config), largeMachine);
  const context = contextOf({ stack: "one", settings, id: undefined, deployed: false });
  await preflight(
    context,
    checks.filter(({ id }) => id === "spark" || id === "ray"),
  );
  return sized(context);
}

it("takes clusters that answer, are of the right version and large enough", async () => {
  await expect(look()).resolves.toMatchObject({
    sparkExecutors: 1,
    sparkWorkerCores: 2,
    rayCpus: 2,
  });
  await expect(look({ rayCpus: "3" })).resolves.toMatchObject({ rayCpus: 3 });
  await expect(look({ sparkExecutors: "2" })).resolves.toMatchObject({ sparkExecutors: 2 });
});

describe("the whole of them", () => {
  const whole = { clusterSize: "whole", rayCpus: "99", sparkExecutors: "9" };

  it("is what their pages tell, with executors as large as the smallest worker", async () => {
    const own = { sparkWorkerMemory: 4 * 2 ** 30, rayCpus: 3 };
    await expect(look(whole)).resolves.toMatchObject({
      ...own,
      sparkExecutors: 2,
      sparkWorkerCores: 2,
    });
    const [small] = told!.workers;
    told!.workers.push(
      { ...small, cores: 5, memory: 16_384 },
      { ...small, cores: 64, memory: 9_000 },
    );
    // Two of 2 cores, two on the one of 5 cores, two in the one of 9 GB.
    await expect(look(whole)).resolves.toMatchObject({
      ...own,
      sparkExecutors: 6,
      sparkWorkerCores: 2,
    });
  });

  it("gives what runs here no more threads than this machine has cores", async () => {
    told!.workers.push({ state: "ALIVE", cores: 4096, memory: 2 ** 24 });
    expect((await look(whole)).threads).toBe(machine().cpus);
  });

  it("is not guessed", async () => {
    answers["/api/v0/nodes"] = nodes();
    told!.workers.length = 0;
    await expect(look(whole)).rejects.toThrow("has no worker");
    await expect(look(whole)).rejects.toThrow("has no CPUs on 0 nodes");
    delete answers["/api/v0/nodes"];
    told!.url = "spark://127.0.0.1:1";
    await expect(look(whole)).rejects.toThrow("no master's page states the Spark cluster's size");
    await expect(look(whole)).rejects.toThrow("does not list its nodes");
  });
});

it("names another version of Spark, with both", async () => {
  told = { ...told!, version: "3.5.0" };
  await expect(look()).rejects.toThrow(
    `is version 3.5.0, and its clients are ${lockedVersion("pyspark")}`,
  );
});

it.each([
  [{ sparkExecutors: "5", sparkWorkerCores: "1" }, "5", "4 executors of 1 cores"],
  [{ sparkExecutors: "3", sparkWorkerCores: "2" }, "3", "2 executors of 2 cores"],
  [{ sparkExecutors: "3", sparkWorkerMemory: "3g" }, "3", "2 executors of 2 cores and 3072 MiB"],
])("names Spark workers that are too few or too small: %j", async (changed, wanted, room) => {
  await expect(look(changed)).rejects.toThrow(
    `sparkExecutors is ${wanted}, and the 2 workers at http://127.0.0.1:${ports.page} have room for ${room}`,
  );
});

it("learns nothing from another master's page, and names one that is none", async () => {
  told = { ...told!, url: "spark://127.0.0.1:1", workers: [] };
  await expect(look()).resolves.toMatchObject({ sparkExecutors: 1 });
  page.close();
  page.closeAllConnections();
  await expect(look()).rejects.toThrow("no page of a Spark master answers at sparkMasterUi (http:");
});

it("names another version, with both", async () => {
  answers["/api/version"] = { ray_version: "2.9.0" };
  await expect(look()).rejects.toThrow(
    `127.0.0.1:${ports.dashboard} is version 2.9.0, and its clients are ${lockedVersion("ray")}`,
  );
});

it("names a cluster that is too small, with both figures", async () => {
  await expect(look({ rayCpus: "4" })).rejects.toThrow(
    "rayCpus is 4, and the Ray cluster has 3 CPUs on 2 nodes",
  );
});

it("counts no node that is dead", async () => {
  const [{ data }] = [nodes({ CPU: 8 })];
  data.result.result[0].state = "DEAD";
  answers["/api/v0/nodes"] = { data };
  await expect(look()).rejects.toThrow("has 0 CPUs on 0 nodes");
});

it("names a token that is refused, and does not tell it", async () => {
  const refused = look({ rayToken: "another-token" });
  await expect(refused).rejects.toThrow("refuses the token, or was given none");
  await expect(refused).rejects.not.toThrow("another-token");
});

it("tells all that is missing at once", async () => {
  master.close();
  dashboard.close();
  dashboard.closeAllConnections();
  const missing = look();
  await expect(missing).rejects.toThrow("nobody answers there (ECONNREFUSED)");
  await expect(missing).rejects.toThrow("no Ray dashboard answers there (ECONNREFUSED)");
});

it("follows a cluster's master to its stand-by", async () => {
  await expect(
    look({ sparkMaster: `spark://127.0.0.1:1,127.0.0.1:${ports.master}` }),
  ).resolves.toMatchObject({ sparkExecutors: 1 });
});

describe("of several masters", () => {
  const masters = ["one:7077", "two:7078"];
  const settings = readSettings(
    defaultConfig({
      ...{ target: "cluster", objectStore: "s3", s3Endpoint: "https://s3.example" },
      ...{ s3AccessKey: "key", s3SecretKey: "secret", clusterSize: "whole" },
    }),
    largeMachine,
  );
  const page = (status: string, url: string, workers: MasterPage["workers"] = []) => ({
    url: `http://${url}`,
    at: 0,
    version: lockedVersion("pyspark"),
    page: { status, url: `spark://${url}`, workers, activeapps: [] },
  });

  it("takes the size from the one that leads", () => {
    const worker = { state: "ALIVE", cores: 2, memory: 4096 };
    const seen = [page("STANDBY", masters[0]), page("ALIVE", masters[1], [worker, worker])];
    const facts = { masters, pages: seen };
    expect(wrongSpark(facts, settings)).toEqual([]);
    expect(sizeOf(leaderOf(facts).page)).toMatchObject({ sparkExecutors: 2, sparkWorkerCores: 2 });
    const silent = { url: "http://one:8080", at: 0, silent: "ECONNREFUSED" };
    expect(wrongSpark({ masters, pages: [silent, seen[1]] }, settings)).toEqual([]);
  });

  it("asks the status of each at its own port", async () => {
    const port = portOf(master);
    await expect(viewOf("spark-master", `localhost:${port}`)).resolves.toMatchObject({
      state: "ANSWERS",
    });
  });
});
