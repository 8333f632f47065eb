import * as pulumi from "@pulumi/pulumi";
import { readOwner, runnerVariable, stackBackendUrl } from "../infra/stack/owner";
import { UserError } from "../infra/contracts/errors";
import type { Inputs } from "../results/result";
import type { Configuration } from "./config";
import type { Project } from "./project";

/** What the program declares as a step with triggers. */
export interface DeclaredRun {
  readonly inputs: Inputs;
  /** What its script is told. */
  readonly spec: unknown;
}

/** The inputs that every run of a stack has by now, by the run's name; see {@link declaredRuns}. */
export async function currentInputs(
  ...which: Parameters<typeof declaredRuns>
): Promise<ReadonlyMap<string, Inputs>> {
  const declared = await declaredRuns(...which);
  return new Map([...declared].map(([name, { inputs }]) => [name, inputs]));
}

/**
 * Every run and oracle of a stack by its name, as the program itself declares it now: it is run as
 * for a preview, but against recording mocks, so that nothing is touched and no runner is needed.
 *
 * @throws UserError in the program's own words where it refuses the settings or the machine
 */
export async function declaredRuns(
  project: Project,
  stack: string,
  configuration: Configuration,
): Promise<ReadonlyMap<string, DeclaredRun>> {
  const found = new Map<string, DeclaredRun>();
  await pulumi.runtime.setMocks(
    {
      newResource({ name, type, inputs }) {
        const { triggers, environment } = inputs as {
          triggers?: readonly Inputs[];
          environment?: { SPEC: string };
        };
        if (type === "command:local:Command" && triggers?.[0] && environment) {
          found.set(name, { inputs: triggers[0], spec: JSON.parse(environment.SPEC) });
        }
        return { id: `${name}-id`, state: { ...(inputs as object), stdout: "{}" } };
      },
      call: () => ({}),
    },
    project.name,
    stack,
    true,
  );
  allowHooks();
  pulumi.runtime.setAllConfig({ ...configuration.all }, [...configuration.secretKeys]);
  claim(stack);
  await quietly(async () => {
    const { default: program } = (await import("../index")) as unknown as {
      default: () => Promise<unknown>;
    };
    await program().catch((error: unknown) => {
      throw pulumi.RunError.isInstance(error) ? new Told(error.message) : error;
    });
    await pulumi.runtime.disconnect();
  });
  return found;
}

/** Without an engine the SDK logs to stdout, which is for what was asked. */
async function quietly(work: () => Promise<void>): Promise<void> {
  const { log } = console;
  console.log = console.error;
  try {
    await work();
  } finally {
    console.log = log;
  }
}

/** Programs may register hooks, which the SDK's mocks know nothing of; in a preview none is called. */
function allowHooks(): void {
  const monitor = pulumi.runtime.getMonitor() as unknown as Record<string, unknown>;
  const accept = (_request: unknown, done: (error: null, answer: object) => void) => done(null, {});
  monitor.registerResourceHook ??= accept;
  monitor.registerErrorHook ??= accept;
}

/** What the program has told in all its parts already. */
class Told extends UserError {
  constructor(message: string) {
    super(message, "", "");
    this.message = message;
  }
}

/** The program refuses a stack that another runner made: it is told that this is the same one. */
function claim(stack: string): void {
  const owner = readOwner(stack);
  if (owner?.runner === "embedded") process.env[runnerVariable] = "embedded";
  else delete process.env[runnerVariable];
  if (owner?.backend === "stack folder") process.env.PULUMI_BACKEND_URL = stackBackendUrl(stack);
}
