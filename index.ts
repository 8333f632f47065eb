import * as pulumi from "@pulumi/pulumi";
import { checkStack, claimStack } from "./infra/stack/claim";
import { prepare } from "./infra/targets";
import { checkSecrets } from "./infra/settings/schema";
import { declareStack } from "./infra/stack/step";
import { readSettings } from "./infra/targets/readSettings";
import { Buckets } from "./infra/stores/buckets";
import { UserError } from "./infra/contracts/errors";
import { bucketPrefixes } from "./pipelines/places";
import { declareRuns, Report } from "./pipelines/comparison";
import { lookAtExisting } from "./pipelines/dataset";
import { chosenRuns } from "./pipelines/matrix";

/** Part of the SDK, but missing in its types. */
const { isConfigSecret } = pulumi.runtime as unknown as {
  isConfigSecret: (key: string) => boolean;
};

/** settings -> platform -> buckets -> datasets (and oracles) -> runs -> report -> stack outputs */
async function program() {
  const stack = pulumi.getStack();
  const config = pulumi.runtime.allConfig();
  checkSecrets(config, isConfigSecret);
  const asked = readSettings(config);
  const chosen = chosenRuns(asked);
  const known = checkStack(stack, asked.target);
  const prepared = await prepare(asked, stack, known);
  const { settings } = prepared;
  const existing = await lookAtExisting(stack, settings, chosen);
  const id = pulumi.runtime.isDryRun() ? known : claimStack(stack, settings.target, known);

  const platform = prepared.declare(declareStack(id));
  const { objectStore } = platform;
  const prefixes = bucketPrefixes(settings.datasetSource);
  const buckets = new Buckets("buckets", { objectStore, prefixes });
  const runs = declareRuns({ chosen, settings, platform, buckets, stack, existing });
  const report = new Report("report", { runs, platform, buckets, stack, prices: settings.prices });

  return {
    minioConsoleUrl: objectStore.consoleUrl,
    minioEndpoint: objectStore.endpoint,
    sparkUiUrl: platform.sparkUiUrl,
    rayDashboardUrl: platform.rayDashboardUrl,
    reportUrl: report.url,
    buckets: buckets.names,
    runs,
  };
}

/**
 * A user's error is printed in its own words, a bug with its stack trace. The SDK formats a trace even
 * where it shows none, and Node 20.20 needs a minute and gigabytes for one that ends in
 * `/node_modules/@pulumi/resource.ts`, as every trace from here does.
 */
export = () =>
  program().catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    throw Object.assign(new pulumi.RunError(error.message), { stack: undefined });
  });
