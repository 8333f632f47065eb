import { UserError } from "../infra/contracts/errors";

/** A verb that looks at a stack found none. */
export function noStack(stack: string): UserError {
  return new UserError(
    `stack ${stack} is not deployed`,
    "there is nothing to show of it",
    `npm start${stack === "local" ? "" : ` -- --stack ${stack}`}`,
  );
}
