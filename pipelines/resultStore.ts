import { explained, storeClient } from "../infra/storage/client";
import type { RunResult } from "./result";

/** Puts a result beside the outputs, at `results/<engine>/<workload>/<attempt>.json`. */
export async function keepResult(stack: string, bucket: string, result: RunResult): Promise<void> {
  const client = await storeClient(stack);
  const name = `results/${result.engine}/${result.workload}/${result.attempt}.json`;
  await explained(() => client.putObject(bucket, name, JSON.stringify(result)));
}
