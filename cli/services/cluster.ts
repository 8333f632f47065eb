import { clustersOf } from "../../infra/targets/cluster/executor";
import { shellEnvironment } from "../../infra/targets/cluster/shellEnvironment";
import { silenceAt } from "../../infra/host/silence";
import { storeRecord } from "../../infra/stores/access";
import type { Services, ServiceView } from "../services";
import { shellHere } from "./shellHere";

/** What target `cluster` runs on: nothing of it is the stack's, so it is seen from outside only. */
export const clusterServices: Services = {
  async status(stack) {
    const { spark, ray } = clustersOf(stack);
    const store = storeRecord(stack)?.endpoint;
    const seen = [
      ...(spark ? spark.master.split(",").map((url) => seenAt("spark-master", url)) : []),
      ...(ray ? [seenAt("ray-dashboard", ray.dashboard)] : []),
      ...(store ? [seenAt("object-store", store)] : []),
    ];
    return Promise.all(seen);
  },

  shell: (stack) => shellHere(stack, shellEnvironment(stack)),

  logs: () => new Map(),
};

async function seenAt(name: string, url: string): Promise<ServiceView> {
  const { host, port, protocol } = new URL(url.replace(/^(?!\w+:)/, "spark://"));
  const usual = protocol === "https:" ? ":443" : ":80";
  const silence = await silenceAt(port ? host : `${host}${usual}`);
  return { name, state: silence === undefined ? "ANSWERS" : `SILENT (${silence})`, url };
}
