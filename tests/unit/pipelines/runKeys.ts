import { readSettings } from "../../../infra/targets/readSettings";
import { chosenRuns } from "../../../pipelines/matrix";
import { runKey } from "../../../results/result";
import { runInputs } from "../../../pipelines/inputs";
import { defaultConfig, largeMachine } from "../../defaults";

/** A platform that gives every run the same. */
export const context = {
  environment: "env",
  model: "m",
  device: "cpu",
  gpus: 0,
  store: "1",
} as const;

/** The keys of all runs by name, in order, with some settings other than the defaults. */
export function runKeys(changed: Record<string, string> = {}): Record<string, string> {
  const settings = readSettings(defaultConfig(changed), largeMachine);
  return Object.fromEntries(
    chosenRuns(settings).map(({ engine, workload }) => [
      `${engine}/${workload}`,
      runKey(runInputs(engine, workload, settings, context, "data")),
    ]),
  );
}
