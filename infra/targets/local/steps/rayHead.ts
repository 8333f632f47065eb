import * as fs from "node:fs";
import { jobEnvironment } from "../../../toolchain/jobs";
import { makeShortFolder, places, rayFolder } from "../../../stack/places";
import type { ports } from "../../../settings/ports";
import { accepts, get } from "../../../host/network";
import { rayAccess } from "../rayAccess";
import { pythonOf } from "../../../toolchain/tools";
import { serviceStep } from "./service";

export interface RayHeadSpec {
  readonly ports: ReturnType<typeof ports>["ray"];
  readonly cpus: number;
  readonly gpus: number;
  readonly objectStoreBytes: number;
}

export default serviceStep<RayHeadSpec>({
  service: ({ stack, spec }) => {
    makeShortFolder(stack);
    fs.mkdirSync(rayFolder(stack), { recursive: true, mode: 0o700 });
    return {
      argv: [pythonOf(stack), "-m", "engine_comparison.ray_node", ...start(stack, spec)],
      env: {
        ...jobEnvironment(stack),
        ...rayAccess(stack),
        RAY_USAGE_STATS_ENABLED: "0",
        // The dashboard makes a folder for sockets, and is killed before it can remove it.
        TMPDIR: rayFolder(stack),
        // The two listeners that `ray start` has no option for.
        DASHBOARD_METRIC_PORT: String(spec.ports.dashboardMetrics),
        AUTOSCALER_METRIC_PORT: String(spec.ports.autoscalerMetrics),
        // Workers are slow to start: idle ones are kept for the next task of their job. How many may be
        // idle (num_workers_soft_limit) does not matter meanwhile: Ray ends one only if both are passed.
        RAY_idle_worker_killing_time_threshold_ms: "600000",
      },
      directory: places(stack).root,
      // It ignores SIGTERM, and keeps nothing that is worth a wait.
      stopSignal: "KILL",
      stopSeconds: 5,
      startSeconds: 300,
      // It looks once a second whether all of its processes live, and ends a second later if not.
      settleSeconds: 2.5,
      healthy: async () =>
        (await get(`http://127.0.0.1:${spec.ports.dashboard}/api/gcs_healthz`)) !== undefined &&
        (await get(`http://127.0.0.1:${spec.ports.dashboardAgent}/api/local_raylet_healthz`)) !==
          undefined &&
        (await accepts(spec.ports.client)),
    };
  },
  result: ({ ports, cpus, gpus }) => ({
    address: `127.0.0.1:${ports.gcs}`,
    dashboard: `http://127.0.0.1:${ports.dashboard}`,
    cpus,
    gpus,
    ports,
  }),
  clean: ({ stack }) => fs.rmSync(rayFolder(stack), { recursive: true, force: true }),
});

function start(stack: string, { ports, cpus, gpus, objectStoreBytes }: RayHeadSpec): string[] {
  const options = {
    "node-ip-address": "127.0.0.1",
    port: ports.gcs,
    "dashboard-host": "127.0.0.1",
    "dashboard-port": ports.dashboard,
    "ray-client-server-port": ports.client,
    "node-manager-port": ports.nodeManager,
    "object-manager-port": ports.objectManager,
    "runtime-env-agent-port": ports.runtimeEnvAgent,
    "dashboard-agent-listen-port": ports.dashboardAgent,
    "dashboard-agent-grpc-port": ports.dashboardAgentGrpc,
    "metrics-export-port": ports.metrics,
    "min-worker-port": ports.firstWorker,
    "max-worker-port": ports.lastWorker,
    "num-cpus": cpus,
    "num-gpus": gpus,
    "object-store-memory": objectStoreBytes,
    "temp-dir": rayFolder(stack),
  };
  return [
    ...["start", "--head", "--block", "--disable-usage-stats", "--log-color", "false"],
    ...Object.entries(options).map(([option, value]) => `--${option}=${value}`),
  ];
}
