import * as pulumi from "@pulumi/pulumi";
import type { Platform } from "../../../infra/contracts/platform";
import { readSettings } from "../../../infra/targets/readSettings";
import { Buckets } from "../../../infra/stores/buckets";
import { bucketPrefixes } from "../../../pipelines/places";
import { declareRuns, Report } from "../../../pipelines/comparison";
import { chosenRuns } from "../../../pipelines/matrix";
import { runKey, type Inputs } from "../../../results/result";
import { defaultConfig, largeMachine } from "../../defaults";

interface CommandInputs {
  readonly triggers?: readonly [Inputs];
  readonly environment: { readonly SPEC: string };
}

/** What stands below the pipelines, as far as it matters to them. */
export interface RunContext {
  readonly stack?: string;
  readonly preview?: boolean;
  readonly device?: "cpu" | "cuda";
  readonly gpus?: number;
  readonly environment?: string;
  readonly model?: string;
  /** The store's data id. */
  readonly store?: string;
}

/**
 * What each Command after the platform is given, by its name.
 *
 * @param changed settings other than the defaults
 */
export async function commands(
  changed: Record<string, string> = {},
  { stack = "test", store = "1", preview = false, ...context }: RunContext = {},
): Promise<Record<string, CommandInputs>> {
  const made: Record<string, CommandInputs> = {};
  await pulumi.runtime.setMocks(
    {
      newResource({ name, type, inputs }) {
        if (type !== "command:local:Command") return { id: name, state: {} };
        const { triggers, environment } = inputs as CommandInputs;
        made[name] = { triggers, environment };
        const key = triggers ? runKey(triggers[0]) : undefined;
        return { id: name, state: { ...(inputs as object), stdout: JSON.stringify({ key }) } };
      },
      call: () => ({}),
    },
    "engine-comparison",
    stack,
    preview,
  );
  const settings = readSettings(defaultConfig(changed), largeMachine);
  await pulumi.runtime.runInPulumiStack(async () => {
    const stands = new pulumi.ComponentResource("test:Platform", "platform");
    const platform: Platform = {
      objectStore: { endpoint: "", consoleUrl: "", dataId: store, ready: stands, data: stands },
      sparkUiUrl: "",
      rayDashboardUrl: "",
      device: "cpu",
      gpus: 0,
      python: stands,
      quiet: [stands],
      environment: "environment",
      model: "model",
      ...context,
    };
    const buckets = new Buckets("buckets", {
      objectStore: platform.objectStore,
      prefixes: bucketPrefixes(),
    });
    const chosen = chosenRuns(settings);
    const shared = { platform, buckets, stack };
    const runs = declareRuns({ ...shared, chosen, settings });
    new Report("report", { ...shared, runs });
  });
  await pulumi.runtime.disconnect();
  return made;
}
