import type { Settings } from "../infra/settings/schema";
import { storeNamed } from "../infra/stores";
import { datasetPlaces } from "./dataset";
import type { ChosenRun } from "./matrix";
import { workloadOf, type DatasetName } from "./workloads";

/**
 * With `datasetSource: existing`, looks at what the store has of the datasets that runs read.
 *
 * @returns the hash of each dataset's listing; undefined with any other source
 * @throws UserError where there is nothing, or the stack itself has put it there
 */
export async function lookAtExisting(
  settings: Settings,
  chosen: readonly ChosenRun[],
): Promise<ReadonlyMap<DatasetName, string> | undefined> {
  if (settings.datasetSource !== "existing") return undefined;
  const store = storeNamed(settings.objectStore);
  const names = [...new Set(chosen.map(({ workload }) => workloadOf(workload).dataset))];
  const seen = names.map(async (name) => {
    const { bucket, owns } = datasetPlaces[name];
    return [name, (await store.existing!(settings, bucket, owns)).hash] as const;
  });
  return new Map(await Promise.all(seen));
}
