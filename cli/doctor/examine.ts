import { UserError } from "../../infra/contracts/errors";
import type { Check, Patient } from "./check";

/** What a check came to. */
export interface Finding {
  readonly check: Check;
  readonly errors: readonly UserError[];
  /** The check that has found the cause of what this one would find, so that it was left out. */
  readonly skippedFor?: string;
}

/** Everything that is asked has a time limit of its own; this one is for what has been forgotten. */
const longest = 60_000;

/** Carries out the checks that apply, one after the other. */
export async function* examine(
  patient: Patient,
  checks: readonly Check[],
): AsyncGenerator<Finding> {
  const ill = new Set<string>();
  for (const check of checks.filter(({ applies }) => applies?.(patient) ?? true)) {
    const skippedFor = check.after?.find((id) => ill.has(id));
    const errors = skippedFor ? [] : await look(check, patient);
    if (errors.length > 0) ill.add(check.id);
    yield { check, errors, ...(skippedFor ? { skippedFor } : {}) };
  }
}

async function look(check: Check, patient: Patient): Promise<readonly UserError[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${longest / 1000} s`)), longest);
  });
  try {
    return await Promise.race([check.look(patient), late]);
  } catch (error) {
    return [error instanceof UserError ? error : blind(check, error as Error)];
  } finally {
    clearTimeout(timer);
  }
}

/** A check that fails itself is told like trouble: the others may still find its cause. */
function blind({ id, name }: Check, { message }: Error): UserError {
  return new UserError(
    `${id} could not be looked at: ${message.split("\n")[0]}`,
    `it is not known whether ${name}`,
    "mend what else was found, then look again",
  );
}
