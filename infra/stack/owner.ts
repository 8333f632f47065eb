import * as fs from "node:fs";
import * as path from "node:path";
import { checkout, stackFolder } from "../host/folders";
import { UserError } from "../contracts/errors";

export type RunnerName = "pulumi" | "embedded";

/** Who a stack belongs to: written by the first up, kept until nothing is left of the stack. */
export interface Owner {
  /** The folder with Pulumi.yaml that the stack was deployed from. */
  readonly checkout: string;
  readonly target: string;
  readonly runner: RunnerName;
  /**
   * Where the Pulumi CLI keeps the state: `stack folder` when `npm start` chose the place, `own`
   * when the user did. Absent with the embedded runner.
   */
  readonly backend?: "stack folder" | "own";
}

/** Set by the embedded runner for the program, and by nobody else. */
export const runnerVariable = "ENGINE_COMPARISON_RUNNER";

/**
 * The state backend that `npm start` gives to the Pulumi CLI. Without `metadata=skip` the CLI keeps
 * `.attrs` files beside the state, which it does not write atomically: killed there, it could never
 * read the state again.
 */
export function stackBackendUrl(stack: string): string {
  return `file://${path.join(stackFolder(stack), "pulumi-backend")}?metadata=skip`;
}

function ownerFile(stack: string): string {
  return path.join(stackFolder(stack), "owner.json");
}

/** Who owns `stack`, or undefined where there is no such stack. */
export function readOwner(stack: string): Owner | undefined {
  try {
    return JSON.parse(fs.readFileSync(ownerFile(stack), "utf8")) as Owner;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UserError(
      `${ownerFile(stack)} cannot be read: ${(error as Error).message}`,
      "it says which checkout and runner the stack belongs to",
      "mend it, or remove it if nothing of the stack stands any more",
    );
  }
}

/** What the running program would write as owner. */
export function claimant(stack: string, target: string): Owner {
  const runner = process.env[runnerVariable] === "embedded" ? "embedded" : "pulumi";
  const here = { checkout: fs.realpathSync(checkout), target, runner } as const;
  if (runner === "embedded") return here;
  const [folder] = stackBackendUrl(stack).split("?");
  const inFolder = process.env.PULUMI_BACKEND_URL?.split("?")[0] === folder;
  return { ...here, backend: inFolder ? "stack folder" : "own" };
}

/**
 * Checks that `now` may go on with a stack that `owner` made. A checkout that is gone owns nothing.
 *
 * @throws UserError with the value that is in the way
 */
export function checkOwner(stack: string, owner: Owner, now: Owner): void {
  if (owner.checkout !== now.checkout && isCheckout(owner.checkout)) {
    throw new UserError(
      `stack ${stack} belongs to the checkout ${owner.checkout}, and this is ${now.checkout}`,
      "two checkouts would deploy over each other's services and results",
      "take another name with --stack and another portOffset, destroy the stack from its own " +
        "checkout, or set ENGINE_COMPARISON_HOME to another folder",
    );
  }
  if (owner.target !== now.target) {
    throw new UserError(
      `stack ${stack} has target ${owner.target}, and the settings say ${now.target}`,
      "a stack keeps one target for life: what the old one made would be left behind",
      `set target back to ${owner.target}, take another stack, or destroy this one first`,
    );
  }
  if (owner.runner !== now.runner) {
    throw new UserError(
      `stack ${stack} was made by ${runnerWords(owner)}, and this is ${runnerWords(now)}`,
      "each keeps its own state, so the other would make everything a second time",
      owner.runner === "embedded"
        ? "use npm start and its friends for this stack, or npm run destroy first"
        : "use the Pulumi CLI for this stack, or pulumi destroy first",
    );
  }
  if (owner.backend !== now.backend) {
    throw new UserError(
      `the state of stack ${stack} is in ${backendWords(stack, owner)}, not in ${backendWords(stack, now)}`,
      "with another state Pulumi would make everything a second time",
      owner.backend === "stack folder"
        ? `set PULUMI_BACKEND_URL=${stackBackendUrl(stack)}, or use npm start`
        : "log in to that backend, and use the pulumi command for this stack",
    );
  }
}

function runnerWords({ runner }: Owner): string {
  return runner === "embedded" ? "the embedded runner" : "the Pulumi CLI";
}

function backendWords(stack: string, { backend }: Owner): string {
  return backend === "stack folder" ? stackBackendUrl(stack) : "a backend of yours";
}

function isCheckout(folder: string): boolean {
  return fs.existsSync(path.join(folder, "Pulumi.yaml"));
}

/**
 * For the program, before it looks at anything else: refuses to touch what belongs to another
 * checkout, target, runner or state. Writes nothing.
 *
 * @throws UserError as {@link checkOwner}
 */
export function checkStack(stack: string, target: string): void {
  const owner = readOwner(stack);
  if (owner) checkOwner(stack, owner, claimant(stack, target));
}

/**
 * For the program that deploys, when nothing stands in the way any more and before its first
 * resource: takes the stack.
 *
 * @throws UserError as {@link checkOwner}
 */
export function claimStack(stack: string, target: string): void {
  const now = claimant(stack, target);
  const owner = readOwner(stack) ?? takeFree(stack, now);
  checkOwner(stack, owner, now);
  if (owner.checkout !== now.checkout) replace(stack, now);
}

/** Writes the first record. @returns the other's record if another process was faster */
function takeFree(stack: string, now: Owner): Owner {
  const temporary = write(stack, now);
  try {
    fs.linkSync(temporary, ownerFile(stack));
    return now;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return readOwner(stack) ?? now;
  } finally {
    fs.rmSync(temporary, { force: true });
  }
}

function replace(stack: string, now: Owner): void {
  fs.renameSync(write(stack, now), ownerFile(stack));
}

function write(stack: string, owner: Owner): string {
  const temporary = `${ownerFile(stack)}.${process.pid}`;
  fs.mkdirSync(stackFolder(stack), { recursive: true, mode: 0o700 });
  fs.writeFileSync(temporary, JSON.stringify(owner, undefined, 2) + "\n");
  return temporary;
}

/** What describes things that stood, and would mislead a new stack of this name. */
const traces = ["records", "standing", "logs", "report"];

/**
 * When nothing of the stack stands any more: its name is free again. Results are in the history;
 * the settings and their passphrase stay, as with any `pulumi destroy`.
 */
export function forgetStack(stack: string): void {
  for (const name of traces) {
    fs.rmSync(path.join(stackFolder(stack), name), { recursive: true, force: true });
  }
  fs.rmSync(ownerFile(stack), { force: true });
}
