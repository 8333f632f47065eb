import * as fs from "node:fs";
import { places } from "../../../stack/places";
import { getJson } from "../../../host/network";
import { sparkDaemon } from "../sparkDaemon";
import { serviceStep } from "./service";

export interface SparkMasterSpec {
  readonly ports: { readonly rpc: number; readonly ui: number };
  /** First ports of the blocks that drivers may take. */
  readonly driverPorts: readonly number[];
}

export default serviceStep<SparkMasterSpec>({
  service: ({ stack, spec: { ports } }) => ({
    ...sparkDaemon(stack, "master.Master", [
      ...["--port", String(ports.rpc), "--webui-port", String(ports.ui)],
    ]),
    stopSeconds: 10,
    startSeconds: 180,
    healthy: async () => {
      const page = await getJson(`http://127.0.0.1:${ports.ui}/json/`);
      return (page as { status?: string } | undefined)?.status === "ALIVE";
    },
  }),
  result: ({ ports, driverPorts }) => ({
    master: `spark://127.0.0.1:${ports.rpc}`,
    ui: `http://127.0.0.1:${ports.ui}`,
    driverPorts,
    ports,
  }),
  clean: ({ stack }) => fs.rmSync(places(stack).spark, { recursive: true, force: true }),
});
