import * as fs from "node:fs";
import type * as embedded from "../../embedded";
import { stackFiles } from "../../infra/stack/files";
import { inStackFolder, type Owner, type RunnerName } from "../../infra/stack/owner";
import { targetNamed } from "../../infra/targets";
import { howToGetCli } from "./pulumiCli";
import { cliState } from "./pulumiLeft";
import { Unfit, WrongUse } from "../errors";

/** Which runner a stack is deployed by, and where the CLI has its state. */
export interface Chosen {
  readonly runner: RunnerName;
  readonly backend: "stack folder" | "own";
}

export interface Situation {
  readonly stack: string;
  readonly target: string;
  /** The value of `--runner`. @default auto */
  readonly asked?: string;
  /** The runner that has made the stack, where there is one. */
  readonly made?: Chosen;
  /** Whether `pulumi` is on PATH or was just installed; looked for only where it matters. */
  readonly cliThere: () => boolean;
}

/**
 * Chooses the runner: the one that made the stack; else the one that was asked for; else the Pulumi
 * CLI if it is there; else the embedded one.
 *
 * @throws WrongUse for a runner that does not exist
 * @throws Unfit where the stack was made by another runner, or the target needs the CLI
 */
export function chooseRunner({ stack, target, asked = "auto", made, cliThere }: Situation): Chosen {
  if (asked !== "auto" && asked !== "pulumi" && asked !== "embedded") {
    throw new WrongUse(`--runner is ${JSON.stringify(asked)}: it can be auto, pulumi or embedded`);
  }
  if (made) {
    if (asked !== "auto" && asked !== made.runner) {
      throw new Unfit(
        `--runner is ${asked}, but stack ${stack} was made by runner ${made.runner}`,
        "each keeps a separate state, so the other would make everything a second time",
        `omit --runner, or run npm run destroy -- --stack ${stack} first`,
      );
    }
    return made;
  }
  const runner = asked !== "auto" ? asked : cliThere() ? "pulumi" : "embedded";
  const { needsCli } = targetNamed(target);
  if (runner === "embedded" && needsCli !== undefined) {
    throw new Unfit(
      `stack ${stack} has target ${target}, which needs the Pulumi CLI` +
        (asked === "auto" ? ", and PATH has no pulumi" : ", and --runner is embedded"),
      needsCli,
      howToGetCli,
    );
  }
  return { runner, backend: "stack folder" };
}

/**
 * Which runner has made `stack`: as its record says; where the record is gone but a state with
 * resources exists, as after an interrupted destroy, the one whose state that is.
 */
export function whoMade(project: string, stack: string, owner?: Owner): Chosen | undefined {
  if (owner) {
    const backend = owner.backend === inStackFolder ? inStackFolder : "own";
    return { runner: owner.runner, backend };
  }
  const states = { embedded: stackFiles(stack).state, pulumi: cliState(project, stack) };
  const runner = (["embedded", "pulumi"] as const).find((each) => holdsSomething(states[each]));
  return runner && { runner, backend: "stack folder" };
}

type Deployment = Pick<embedded.Deployment["deployment"], "resources">;

/**
 * Whether a state has more than the stack itself, which exists before the program has looked at
 * anything. A broken state counts: its runner refuses it, and says how to repair it.
 */
function holdsSomething(file: string): boolean {
  try {
    // In the embedded runner's format, and in that of the CLI's file backend.
    const { deployment, checkpoint } = JSON.parse(fs.readFileSync(file, "utf8")) as {
      deployment?: Deployment;
      checkpoint?: { latest?: Deployment };
    };
    const { resources = [] } = deployment ?? checkpoint?.latest ?? {};
    return resources.some(({ type }) => type !== "pulumi:pulumi:Stack");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}
