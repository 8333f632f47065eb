import { explained, storeClient } from "../infra/stores/client";
import type { RunResult } from "../results/result";

/** Puts a result beside the outputs, at `results/<engine>/<workload>/<attempt>.json`. */
export async function keepResult(stack: string, bucket: string, result: RunResult): Promise<void> {
  const client = storeClient(stack);
  const name = `results/${result.engine}/${result.workload}/${result.attempt}.json`;
  await explained(() => client.putObject(bucket, name, JSON.stringify(result)));
}
