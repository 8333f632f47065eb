import * as fs from "node:fs";
import * as path from "node:path";
import { places } from "../../../stack/places";
import { getJson } from "../../../host/network";
import { sparkDaemon } from "../sparkDaemon";
import { serviceStep } from "./service";

export interface SparkWorkerSpec {
  readonly ports: { readonly rpc: number; readonly ui: number };
  readonly master: { readonly rpc: number; readonly ui: number };
  readonly cores: number;
  readonly memoryBytes: number;
}

interface MasterPage {
  readonly workers?: readonly { readonly port: number; readonly state: string }[];
}

/** A size as Spark writes it. */
const memory = (bytes: number) => `${Math.floor(bytes / 2 ** 20)}m`;

const workFolder = (stack: string, name: string) => path.join(places(stack).spark, name);

export default serviceStep<SparkWorkerSpec>({
  service: ({ stack, name, spec: { ports, master, cores, memoryBytes } }) => ({
    ...sparkDaemon(stack, "worker.Worker", [
      ...["--port", String(ports.rpc), "--webui-port", String(ports.ui)],
      ...["--cores", String(cores), "--memory", memory(memoryBytes)],
      ...["--work-dir", workFolder(stack, name), `spark://127.0.0.1:${master.rpc}`],
    ]),
    stopSeconds: 10,
    startSeconds: 180,
    healthy: async () => {
      const page = (await getJson(`http://127.0.0.1:${master.ui}/json/`)) as MasterPage | undefined;
      const workers = page?.workers ?? [];
      return workers.some(({ port, state }) => port === ports.rpc && state === "ALIVE");
    },
  }),
  result: ({ cores, memoryBytes, ports }) => ({
    cores,
    memory: memory(memoryBytes),
    ui: `http://127.0.0.1:${ports.ui}`,
    ports,
  }),
  clean: ({ stack, name }) => fs.rmSync(workFolder(stack, name), { recursive: true, force: true }),
});
