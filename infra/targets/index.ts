import { contextOf, preflight } from "../contracts/check";
import { UserError } from "../contracts/errors";
import type { Executor, Prepared } from "../contracts/platform";
import type { Target } from "../contracts/target";
import type { Settings } from "../settings/schema";
import { readOwner } from "../stack/owner";
import { cluster } from "./cluster";
import { docker } from "./docker";
import { local } from "./local";

/** The targets. A new one is a folder here and a name in this list: docs/adding-a-target.md. */
export const targets: Target<Settings>[] = [local, docker, cluster];

/** @throws UserError for a name that {@link targets} does not have */
export function targetNamed(name: string): Target<Settings> {
  const found = targets.find((target) => target.name === name);
  if (found) return found;
  throw new UserError(
    `no target "${name}"; available: ${targets.map((each) => each.name).join(", ")}`,
    "nothing is known of where its things run",
    "use the checkout that has this target",
  );
}

/**
 * Looks whether a stack can be deployed as the settings say; writes nothing.
 *
 * @param id the stack's id; undefined before its first up
 * @throws UserError with what is in the way
 */
export async function prepare(
  settings: Settings,
  stack: string,
  id: string | undefined,
): Promise<Prepared<Settings>> {
  const target = targetNamed(settings.target);
  const context = contextOf({ stack, settings, id, deployed: false });
  await preflight(context, (await target.checks()).checks);
  return (await target.platform()).prepare(context);
}

/** The target that `stack` was made for, or undefined where nothing of the stack exists. */
export function targetOf(stack: string): Target<Settings> | undefined {
  const owner = readOwner(stack);
  return owner && targetNamed(owner.target);
}

export async function executorOf(stack: string): Promise<Executor> {
  const target = targetOf(stack);
  if (target) return (await target.executor()).executor(stack);
  throw new UserError(
    `stack ${stack} is not deployed`,
    "jobs run beside its services",
    "run npm start (or pulumi up) first",
  );
}
