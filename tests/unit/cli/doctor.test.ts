import * as fs from "node:fs";
import * as http from "node:http";
import type * as net from "node:net";
import * as path from "node:path";
import { expect, it } from "vitest";
import { checks, tooLittleSharedMemory, type Patient } from "../../../cli/doctor/checks";
import { credentialFiles } from "../../../infra/credentials/files";
import { ports } from "../../../infra/ports";
import { parseSettings } from "../../../infra/settings";
import { writeStanding } from "../../../infra/standing";
import { writeRecord } from "../../../pipelines/records";
import { defaultConfig, largeMachine } from "../../defaults";
import { freshHome } from "./home";

const home = freshHome();

const patient = (config: Record<string, string> = {}, more: Partial<Patient> = {}): Patient => ({
  stack: "one",
  settings: parseSettings(defaultConfig({ target: "local", ...config }), largeMachine),
  services: [],
  runs: [],
  ...more,
});

/** What the check whose name has these words finds. */
async function found(words: string, of: Patient): Promise<string> {
  const check = checks.find(({ name }) => name.includes(words))!;
  const errors = await check.look(of).catch((error: Error) => [error]);
  return errors.map(({ message }) => message).join("\n");
}

/** Answers every request with `body`, and takes as offset what gives `port(0)` its port. */
async function answering(body: string, port: (offset: number) => number) {
  const server = http.createServer((_, response) => response.end(body));
  await new Promise<void>((up) => server.listen(0, "127.0.0.1", up));
  const listening = (server.address() as net.AddressInfo).port;
  return { server, listening, portOffset: listening - port(0) };
}

it("tells a GPU that is required and missing, and touches nothing", async () => {
  const { PATH } = process.env;
  process.env.PATH = home();
  const said = await found("the machine has", patient({ gpu: "required" }));
  process.env.PATH = PATH;
  expect(said).toContain("gpu is required");
  expect(fs.readdirSync(home())).toEqual([]);
});

it("tells a /dev/shm that is too small", () => {
  expect(tooLittleSharedMemory(2 ** 30, 2 ** 30)).toEqual([]);
  const [error] = tooLittleSharedMemory(2 ** 26, 2 ** 30);
  expect(error.message).toContain("/dev/shm has 64m, and Ray's object store is to have 1024m");
});

it("tells the services that do not run, on both targets", async () => {
  const services = [
    { name: "minio", state: "RUNNING" },
    { name: "ray-head", state: "DEAD" },
    { name: "app", state: "Up 5 minutes (healthy)" },
    { name: "spark-master", state: "Up 5 minutes (unhealthy)" },
    { name: "spark-worker-1", state: "Exited (137) 2 minutes ago" },
  ];
  const said = await found("every service", patient({}, { services }));
  expect(said.match(/^\S+ is .*/gm)).toEqual([
    "ray-head is DEAD",
    "spark-master is Up 5 minutes (unhealthy)",
    "spark-worker-1 is Exited (137) 2 minutes ago",
  ]);
  expect(said).toContain("npm run logs -- ray-head --stack one; then npm start -- --stack one");
});

it("tells a store that does not answer", async () => {
  const { server, listening } = await answering("", () => 0);
  await new Promise((closed) => server.close(closed));
  const result = { endpoint: `http://127.0.0.1:${listening}` };
  writeStanding("one", "minio", { incarnation: 1, result });
  const keys = { minioRootUser: "me", minioRootPassword: "secret-enough" };
  fs.writeFileSync(credentialFiles("one").all, JSON.stringify(keys));
  expect(await found("object store answers", patient())).toContain("does not answer");
});

it.each([
  [["ALIVE", "ALIVE"], ""],
  [["ALIVE", "DEAD"], "1 of 2 Spark workers are registered"],
  [[], "Spark's jobs wait for a worker"],
])("tells missing workers of Spark: %j", async (states, words) => {
  const page = JSON.stringify({ workers: states.map((state) => ({ state })) });
  const { server, portOffset } = await answering(page, (at) => ports(at).sparkMaster.ui);
  const of = patient();
  const said = await found("Spark has", { ...of, settings: { ...of.settings, portOffset } });
  server.close();
  if (words === "") expect(said).toBe("");
  else expect(said).toContain(words);
});

it("tells a master of Spark that is silent", async () => {
  const { server, portOffset } = await answering("", (at) => ports(at).sparkMaster.ui);
  await new Promise((closed) => server.close(closed));
  const of = patient();
  const said = await found("Spark has", { ...of, settings: { ...of.settings, portOffset } });
  expect(said).toContain("Spark's master does not answer");
});

it("tells runs that failed, with their logs", async () => {
  const run = "spark/taxi-report";
  const log = path.join(home(), "x.log");
  const failed = { key: "k", attempt: "a", log, reason: "out of memory", published: null };
  const summary = { ...failed, status: "failed", verified: false } as const;
  writeRecord("one", run, { summary, at: "" });
  const said = await found("no run failed", patient({}, { runs: [run] }));
  expect(said).toContain("spark/taxi-report failed last: out of memory");
  expect(said).toContain(log);
});
