import * as pulumi from "@pulumi/pulumi";
import type { Platform } from "../infra/contracts/platform";
import { step } from "../infra/stack/step";
import type { Buckets } from "../infra/stores/buckets";
import { outputPlace } from "./workloads";

export interface OutputPrefixArgs {
  readonly engine: string;
  readonly workload: string;
  readonly platform: Platform;
  readonly buckets: Buckets;
}

/**
 * Owns what one engine wrote for one workload, so that an engine taken out of the comparison takes
 * its rows along. Runs themselves have no `delete`: a new one replaces what the old one published.
 *
 * @returns the step, to depend on
 */
export function outputPrefix(
  args: OutputPrefixArgs,
  opts: pulumi.ComponentResourceOptions,
): pulumi.Resource {
  const { engine, workload, platform, buckets } = args;
  return step(
    `output-${engine}-${workload}`,
    {
      kind: "output-prefix",
      spec: {
        ...outputPlace(engine, workload, buckets.names),
        store: platform.objectStore.marker,
      },
    },
    { ...opts, dependsOn: buckets.all, deletedWith: platform.objectStore.data },
  );
}
