import * as fs from "node:fs";
import * as path from "node:path";
import { namespace, settingDefaults } from "../infra/settings/schema";

/** A stack's configuration when nothing else is set: full keys to text, as Pulumi hands them over. */
export function defaultConfig(changed: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ ...settingDefaults, ...changed }).map(([key, value]) => [
      `${namespace}:${key}`,
      value,
    ]),
  );
}

/** A machine that is large enough for any sensible setting. */
export const largeMachine = { cpus: 64, memoryBytes: 1024 * 2 ** 30 };

/** The runs of a workload in `matrix: quick`, with the reference at the end. */
export function quickRuns(workload: string): string[] {
  const reference = workload === "taxi-report" ? "polars" : "plain";
  return ["spark", "ray", "daft", reference].map((engine) => `${engine}/${workload}`);
}

/** The example in the schema of what stands beside a model. */
export function exampleContract(): Readonly<Record<string, unknown>> {
  const file = path.join(__dirname, "../pipelines/engine_comparison/model/contract.schema.json");
  const schema = JSON.parse(fs.readFileSync(file, "utf8")) as {
    examples: [Record<string, unknown>];
  };
  return schema.examples[0];
}
