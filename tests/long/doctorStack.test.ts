/**
 * Trouble in a small stack that stands: each is made for real, `npm run doctor` tells it with exit
 * code 1, and after its cure tells nothing. doctorMachine.test.ts has what needs no stack.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import * as path from "node:path";
import { Client } from "minio";
import { afterAll, describe, expect, it } from "vitest";
import { cacheFolder, datasetFolder } from "../../infra/host/folders";
import { supervisorSocket } from "../../infra/stack/files";
import { callSupervisor } from "../../infra/targets/local/supervisord";
import { ports } from "../../infra/settings/ports";
import { eventually, freeOffset, small, TestStack } from "../e2e/stack";
import { doctor, nothingWrong, type Diagnosis } from "./diagnosis";

const portOffset = freeOffset(18_300);
const run = "spark/taxi-report";
const minutes = (n: number) => n * 60_000;
const port = ports(portOffset);

describe("a small stack", () => {
  const stack = new TestStack("embedded", portOffset);
  const servers: http.Server[] = [];
  const look = (env: NodeJS.ProcessEnv = {}) =>
    doctor(["--stack", stack.name], { ENGINE_COMPARISON_HOME: stack.home, ...env });

  afterAll(async () => {
    if (fs.existsSync(stack.folder)) await stack.run("destroy");
    fs.rmSync(stack.home, { recursive: true, force: true });
  }, minutes(3));

  /** The record that a step has left. */
  function standing(name: string): Record<string, string> {
    const file = path.join(stack.folder, "records", `${name}.json`);
    return (JSON.parse(fs.readFileSync(file, "utf8")) as { result: Record<string, string> }).result;
  }

  /** Has the supervisor stop or start a service, as a person may do. */
  async function supervise(method: "stopProcess" | "startProcess", name: string): Promise<void> {
    const before = process.env.ENGINE_COMPARISON_HOME;
    process.env.ENGINE_COMPARISON_HOME = stack.home;
    const socket = supervisorSocket(stack.name);
    if (before === undefined) delete process.env.ENGINE_COMPARISON_HOME;
    else process.env.ENGINE_COMPARISON_HOME = before;
    await callSupervisor(socket, method, [name, true], 60_000);
  }

  /** A server of the test's own at a port of the stack: answers by path. */
  async function pretend(at: number, answers: Record<string, string>): Promise<void> {
    const server = http.createServer(({ url = "" }, response) => {
      response.writeHead(200, { server: "nginx" });
      response.end(answers[url] ?? "");
    });
    await new Promise<void>((up, fail) => {
      server.once("error", fail).listen(at, "127.0.0.1", up);
    });
    servers.push(server);
  }

  async function stopPretending(): Promise<void> {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    }
  }

  /** Waits until nothing is wrong any more. */
  async function well(): Promise<void> {
    let last: Diagnosis | undefined;
    await eventually("nothing is wrong", 90, async () => (last = await look()).code === 0).catch(
      (error: Error) => {
        throw new Error(`${error.message}: ${JSON.stringify(last)}`);
      },
    );
  }

  function store(): Client {
    const { minioRootUser, minioRootPassword } = stack.credentials();
    const [accessKey, secretKey] = [minioRootUser, minioRootPassword];
    return new Client({
      endPoint: "127.0.0.1",
      port: port.minio.api,
      useSSL: false,
      accessKey,
      secretKey,
    });
  }

  it(
    "nothing is wrong with a healthy one",
    async () => {
      const up = await stack.start({ ...small, workloads: "taxi-report", portOffset });
      expect(up.code, up.stdout + up.stderr).toBe(0);
      expect(await look()).toEqual(nothingWrong);
    },
    minutes(30),
  );

  it(
    "data: one object removed, then all, and the run that reads them",
    async () => {
      const { version } = standing("taxi-files");
      const files = path.join(datasetFolder("taxi", version), "taxi");
      const names = fs.readdirSync(files).map((name) => `taxi/${name}`);
      const client = store();

      await client.removeObject("lake", names[0]);
      const one = await look();
      expect(one.code).toBe(1);
      expect(one.wrong).toEqual({
        data: [
          expect.stringMatching(
            `^1 of ${names.length} files of the taxi data are not in bucket lake .* ${names[0]}$`,
          ),
        ],
      });

      await client.removeObjects("lake", names);
      expect((await look()).wrong).toEqual({ data: ["bucket lake has nothing of the taxi data"] });
      // The doctor has noted it, so the next deployment uploads again.
      expect((await stack.run("rerun", run)).code).toBe(0);
      await well();

      await client.removeObjects("lake", names);
      expect((await stack.run("rerun", run)).code).toBe(1);
      const failed = await look();
      expect(Object.keys(failed.wrong)).toEqual(["data", "runs"]);
      expect(failed.text).toContain("row data of docs/troubleshooting.md");

      expect((await stack.run("rerun", run)).code).toBe(0);
      await well();
    },
    minutes(8),
  );

  it(
    "spark: a worker that is stopped",
    async () => {
      await supervise("stopProcess", "spark-worker-1");
      let said = await look();
      await eventually(
        "the master misses it",
        90,
        async () => "spark" in (said = await look()).wrong,
      );
      expect(said.code).toBe(1);
      expect(said.wrong).toEqual({
        services: ["spark-worker-1 is STOPPED"],
        spark: [expect.stringMatching("^1 of 2 Spark workers are registered at http")],
      });
      await supervise("startProcess", "spark-worker-1");
      await well();
    },
    minutes(5),
  );

  it(
    "spark: a job that no worker is large enough for",
    async () => {
      const { sparkSecret } = stack.credentials();
      const program = [
        "import sys",
        "from pyspark.sql import SparkSession",
        "conf = dict(line.split('=', 1) for line in sys.stdin.read().split())",
        "builder = SparkSession.builder.appName('too-large')",
        "for key, value in conf.items(): builder = builder.config(key, value)",
        "builder.getOrCreate().range(10).count()",
      ].join("\n");
      const env = path.join(cacheFolder(), standing("python").entry);
      const driver = spawn(path.join(env, "bin/python"), ["-c", program], {
        stdio: ["pipe", "ignore", "ignore"],
        detached: true,
      });
      driver.stdin.end(
        [
          `spark.master=spark://127.0.0.1:${port.sparkMaster.rpc}`,
          "spark.authenticate=true",
          `spark.authenticate.secret=${sparkSecret}`,
          "spark.executor.memory=4g",
          "spark.ui.enabled=false",
          "spark.driver.host=127.0.0.1",
          "spark.driver.bindAddress=127.0.0.1",
        ].join("\n"),
      );
      try {
        let said = await look();
        await eventually("it has waited for a minute", 180, async () => {
          return "spark" in (said = await look()).wrong;
        });
        expect(said.code).toBe(1);
        expect(said.wrong).toEqual({
          spark: [
            "the Spark job too-large wants executors of 4.0 GiB, and no worker offers more than 1.0 GiB",
          ],
        });
      } finally {
        process.kill(-driver.pid!, "SIGKILL");
      }
      await well();
    },
    minutes(6),
  );

  it(
    "spark, ports: another cluster where the master was",
    async () => {
      await supervise("stopProcess", "spark-master");
      const silent = await look();
      expect(silent.wrong).toMatchObject({
        services: [expect.stringMatching("^spark-master is ")],
        spark: [expect.stringMatching("^Spark's master does not answer at .*ECONNREFUSED")],
      });
      const worker = { state: "ALIVE", cores: 1, memory: 1024 };
      await pretend(port.sparkMaster.ui, {
        "/json/": JSON.stringify({ status: "ALIVE", workers: [worker, worker], activeapps: [] }),
        "/": '<span class="version" style="margin-right: 15px;">3.5.1</span>',
      });
      const other = await look();
      expect(other.code).toBe(1);
      expect(other.wrong).toMatchObject({
        ports: [
          expect.stringMatching(`^port ${port.sparkMaster.ui} is taken by .* ${process.pid}`),
        ],
        spark: [expect.stringMatching("is version 3.5.1, and its clients are 4")],
      });
      await stopPretending();
      await supervise("startProcess", "spark-master");
      await well();
    },
    minutes(5),
  );

  it(
    "ray: a head that is stopped, and another cluster in its place",
    async () => {
      await supervise("stopProcess", "ray-head");
      const silent = await look();
      expect(silent.wrong).toMatchObject({
        services: [expect.stringMatching("^ray-head is ")],
        ray: [expect.stringMatching("^Ray's head does not answer at .*ECONNREFUSED")],
      });
      await pretend(port.ray.dashboard, {
        "/api/version": '{"version": "4", "ray_version": "2.9.3"}',
        "/api/v0/nodes?detail=1&limit=1000":
          '{"data": {"result": {"result": [{"state": "ALIVE"}]}}}',
      });
      expect((await look()).wrong).toMatchObject({
        ray: [expect.stringMatching("is version 2.9.3, and its clients are 2.60")],
      });
      await stopPretending();
      await supervise("startProcess", "ray-head");
      await well();
    },
    minutes(5),
  );

  it(
    "store: one that is stopped, and somebody else in its place",
    async () => {
      await supervise("stopProcess", "minio");
      const silent = await look();
      expect(silent.code).toBe(1);
      expect(silent.wrong).toMatchObject({
        services: [expect.stringMatching("^minio is ")],
        store: [expect.stringMatching("^the object store does not answer at .*ECONNREFUSED")],
      });
      expect(silent.skipped).toMatchObject({ data: "store" });
      await pretend(port.minio.api, {});
      expect((await look()).wrong).toMatchObject({
        store: [expect.stringMatching("is answered by nginx, not by MinIO$")],
      });
      await stopPretending();
      await supervise("startProcess", "minio");
      await well();
    },
    minutes(3),
  );

  it(
    "environment: a package of another version, and a Python that is gone",
    async () => {
      const cache = fs.mkdtempSync(path.join(stack.home, "cache-"));
      const { entry } = standing("python");
      const from = path.join(cacheFolder(), entry);
      // The same cache by links, but for what is to be wrong.
      for (const name of fs.readdirSync(cacheFolder())) {
        if (name !== "python")
          fs.symlinkSync(path.join(cacheFolder(), name), path.join(cache, name));
      }
      const to = path.join(cache, entry);
      const [python] = fs.readdirSync(path.join(from, "lib"));
      const site = path.join("lib", python, "site-packages");
      fs.mkdirSync(path.join(to, site), { recursive: true });
      for (const name of [".complete", "bin", "pyvenv.cfg"]) {
        fs.symlinkSync(path.join(from, name), path.join(to, name));
      }
      for (const name of fs.readdirSync(path.join(from, site))) {
        const as = name.replace(/^ray-.*\.dist-info$/, "ray-2.9.3.dist-info");
        fs.symlinkSync(path.join(from, site, name), path.join(to, site, as));
      }
      const said = await look({ ENGINE_COMPARISON_CACHE: cache });
      expect(said.code).toBe(1);
      expect(said.wrong).toEqual({
        environment: [expect.stringMatching("has ray 2.9.3, locked 2.60")],
      });

      fs.unlinkSync(path.join(to, "bin"));
      fs.mkdirSync(path.join(to, "bin"));
      fs.symlinkSync("/nowhere/python3", path.join(to, "bin/python"));
      expect((await look({ ENGINE_COMPARISON_CACHE: cache })).wrong).toEqual({
        environment: [expect.stringMatching("^the Python in .* does not start$")],
      });
    },
    minutes(2),
  );

  it(
    "killed: a service that comes back by itself",
    async () => {
      const { stdout } = await stack.run("status", "--json");
      const { services } = JSON.parse(stdout) as { services: { name: string; pid: number }[] };
      process.kill(services.find(({ name }) => name === "minio")!.pid, "SIGKILL");
      let said = await look();
      await eventually("it runs again", 30, async () => {
        said = await look();
        return !("services" in said.wrong) && !("store" in said.wrong);
      });
      expect(said.code).toBe(1);
      expect(said.wrong).toEqual({
        killed: [expect.stringMatching("^minio ended by itself once .*: terminated by SIGKILL$")],
      });
    },
    minutes(2),
  );

  it(
    "services: a supervisor that was killed takes all with it, and npm start mends it",
    async () => {
      const { stdout } = await stack.run("status", "--json");
      const { services } = JSON.parse(stdout) as { services: { name: string; pid: number }[] };
      process.kill(services.find(({ name }) => name === "supervisor")!.pid, "SIGKILL");
      const said = await look();
      expect(said.code).toBe(1);
      expect(said.wrong.services).toContain("supervisor is DEAD");
      expect(said.wrong.services).toContain("minio is DEAD");
      const up = await stack.start();
      expect(up.code, up.stdout + up.stderr).toBe(0);
      expect(await look()).toEqual(nothingWrong);
    },
    minutes(5),
  );
});
