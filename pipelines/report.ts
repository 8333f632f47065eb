import * as fs from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { shortHash } from "../infra/stack/files";
import type { Platform } from "../infra/contracts/platform";
import { generation } from "../infra/stack/records";
import { step } from "../infra/stack/step";
import type { Buckets } from "../infra/stores/buckets";
import { reportFile, reportUrl } from "../results/records";
import type { RunSummary } from "../results/result";

export interface ReportArgs {
  /** Summaries by `<engine>/<workload>`, in the order of the page. */
  readonly runs: Readonly<Record<string, pulumi.Output<RunSummary>>>;
  readonly platform: Platform;
  readonly buckets: Buckets;
  readonly stack: string;
}

/**
 * The page about all runs: made again when the key or the outcome of one has changed, and when it
 * was lost. It is made only when all runs have succeeded; after a failure `npm start` renders it.
 */
export class Report extends pulumi.ComponentResource {
  /** `file:` URL of the stack folder's copy. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: ReportArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:pipelines:Report", name, {}, opts);
    const { platform, buckets, stack } = args;
    // The samples of many repeats are long: what they are is in the records, that they changed here.
    const runs = Object.entries(args.runs).map(([run, summary]) =>
      summary.apply((known) => ({ run, key: known.key, outcome: shortHash(known) })),
    );
    const page = step(
      "report-page",
      {
        kind: "report",
        spec: pulumi.all(runs).apply((all) => ({
          bucket: buckets.names.output,
          generation: generation(stack, "report-page", () => fs.existsSync(reportFile(stack))),
          runs: all,
          store: platform.objectStore.marker,
        })),
      },
      { parent: this, dependsOn: buckets.all },
    );
    this.url = page.stdout.apply(() => reportUrl(stack));
    this.registerOutputs({ url: this.url });
  }
}
