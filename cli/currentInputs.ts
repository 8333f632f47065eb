import * as pulumi from "@pulumi/pulumi";
import { readOwner, runnerVariable, stackBackendUrl } from "../infra/ownership";
import type { Inputs } from "../pipelines/runInputs";
import type { Configuration } from "./config";
import type { Project } from "./project";

/**
 * The inputs that every run of a stack has by now, by the run's name. The program itself says them:
 * it is run as for a preview, but against recording mocks, so that nothing is touched and no runner
 * is needed.
 *
 * @throws Error with the program's own message where it refuses the settings
 */
export async function currentInputs(
  project: Project,
  stack: string,
  configuration: Configuration,
): Promise<ReadonlyMap<string, Inputs>> {
  const found = new Map<string, Inputs>();
  await pulumi.runtime.setMocks(
    {
      newResource({ name, type, inputs }) {
        const { triggers } = inputs as { triggers?: readonly Inputs[] };
        if (type === "command:local:Command" && triggers?.[0]) found.set(name, triggers[0]);
        return { id: `${name}-id`, state: { ...(inputs as object), stdout: "{}" } };
      },
      call: () => ({}),
    },
    project.name,
    stack,
    true,
  );
  pulumi.runtime.setAllConfig({ ...configuration.all }, [...configuration.secretKeys]);
  claim(stack);
  const { default: program } = (await import("../index")) as unknown as {
    default: () => Promise<unknown>;
  };
  await program();
  await pulumi.runtime.disconnect();
  return found;
}

/** The program refuses a stack that another runner made: it is told that this is the same one. */
function claim(stack: string): void {
  const owner = readOwner(stack);
  if (owner?.runner === "embedded") process.env[runnerVariable] = "embedded";
  else delete process.env[runnerVariable];
  if (owner?.backend === "stack folder") process.env.PULUMI_BACKEND_URL = stackBackendUrl(stack);
}
