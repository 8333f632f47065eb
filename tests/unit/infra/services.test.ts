import { spawn } from "node:child_process";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  configurationFiles,
  minio,
  rayHead,
  rayWorker,
  sparkGpus,
  sparkMaster,
  sparkWorker,
  type Health,
  type Place,
} from "../../../infra/services";
import { healthScript, place as container } from "../../../infra/targets/docker/place";

const machine: Place = {
  ...container,
  ...{ bind: "127.0.0.1", host: () => "127.0.0.1", sharedNetwork: true },
};
const resources = { cpus: 2, gpus: 0, objectStoreBytes: 2 ** 30 };
const size = { cores: 2, memoryBytes: 2 ** 31, gpus: [] };

describe("services in containers and on this machine", () => {
  it("are the same but for names, addresses and ports", () => {
    const all = (place: Place) => [
      ...[minio(place), sparkMaster(place), sparkWorker(place, 1, size)],
      ...[rayHead(place, resources), rayWorker(place, resources)],
    ];
    const [here, there] = [all(machine), all(container)].map((services) =>
      services.map(({ env, health: _health, argv: _argv, ...rest }) => {
        const { DASHBOARD_METRIC_PORT: _1, AUTOSCALER_METRIC_PORT: _2, ...alike } = env;
        return { ...rest, env: alike };
      }),
    );
    expect(here).toEqual(there);
    expect(rayHead(container, resources).env).toMatchObject({
      RAY_idle_worker_killing_time_threshold_ms: "600000",
    });
  });

  it("listen where their place says, and on ports of their own where others have ports", () => {
    expect(minio(container).argv).toContain(":9000");
    expect(minio(machine).argv).toContain("127.0.0.1:9000");
    expect(rayHead(container, resources).argv).toContain("--dashboard-host=0.0.0.0");
    expect(rayHead(machine, resources).argv).toContain("--node-ip-address=127.0.0.1");
    expect(rayHead(container, resources).argv.join(" ")).not.toContain("--node-manager-port");
    expect(sparkWorker(container, 2, size).argv).toContain("spark://spark-master:7077");
  });

  it("offer each GPU by one Spark worker, and as many workers as there are executors offer some", () => {
    const offered = (executors: number, gpus: number) =>
      [1, 2].map((worker) => sparkGpus(worker, executors, gpus));
    expect(offered(1, 0)).toEqual([[], []]);
    expect(offered(1, 1)).toEqual([[0], []]);
    expect(offered(1, 2)).toEqual([[0, 1], []]);
    expect(offered(2, 1)).toEqual([[0], []]);
    expect(offered(2, 2)).toEqual([[0], [1]]);
    expect(offered(2, 3)).toEqual([[0, 2], [1]]);
    const { env } = sparkWorker(container, 1, { ...size, gpus: [0, 1] });
    expect(env.SPARK_WORKER_GPUS).toBe("0 1");
    expect(env.SPARK_WORKER_OPTS).toContain("-Dspark.worker.resource.gpu.amount=2 ");
    expect(env.SPARK_WORKER_OPTS).toContain("/engine_comparison/spark_gpus.sh");
    expect(sparkWorker(container, 1, size).env).not.toHaveProperty("SPARK_WORKER_OPTS");
  });

  it("get their secrets in files, written so that they are read back as they are", () => {
    const files = configurationFiles(
      {
        ...{ minioRootUser: "root", minioRootPassword: "a 'b' #c", sparkSecret: "back\\slash" },
        ...{ rayToken: "t", generations: { minio: 1, spark: 1, ray: 1 } },
      },
      "http://127.0.0.1:9001",
    );
    expect(files["minio.env"]).toContain(`MINIO_ROOT_PASSWORD="a 'b' #c"\n`);
    expect(files["spark-daemons.conf"]).toContain("spark.authenticate.secret=back\\\\slash\n");
  });
});

describe("the health script of a container", () => {
  let port: number;
  const server = http.createServer((request, response) => {
    response.writeHead(request.url === "/gone" ? 404 : 200);
    response.end('{\n  "status" : "ALIVE"\n}');
  });
  beforeAll(
    () =>
      new Promise<void>((ready) =>
        server.listen(0, "127.0.0.1", () => {
          port = (server.address() as AddressInfo).port;
          ready();
        }),
      ),
  );
  afterAll(() => void server.close());

  const status = (...health: readonly Health[]) =>
    new Promise<number | null>((done) =>
      spawn("bash", ["-c", healthScript(health)]).once("close", done),
    );

  it("asks pages for 200 with a text in them, and ports for a connection", async () => {
    expect(await status({ port, path: "/" }, { port })).toBe(0);
    expect(await status({ port, path: "/", text: '"status" : "ALIVE"' })).toBe(0);
    expect(await status({ port, path: "/", text: '"status" : "STANDBY"' })).toBe(1);
    expect(await status({ port, path: "/gone" })).toBe(1);
    expect(await status({ port, path: "/" }, { port: 1 })).toBe(1);
  });
});
