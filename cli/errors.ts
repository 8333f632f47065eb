import { npm, UserError } from "../infra/contracts/errors";

/** A command line that makes no sense: printed in one line, with the usage, and exit code 2. */
export class WrongUse extends Error {}

/**
 * A user's error that was found before anything was touched: settings or a stack that do not fit.
 * Exit code 2, where a {@link UserError} while working is 1.
 */
export class Unfit extends UserError {}

/** Marks the user's errors that `check` throws as found before anything was touched. */
export function beforehand<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new Unfit(error.what, error.why, error.fix);
  }
}

export function noStack(stack: string): UserError {
  return new UserError(
    `stack ${stack} is not deployed`,
    "there is nothing to show of it",
    npm(stack, "start"),
  );
}
