import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Deployment } from "../../embedded";
import { UserError } from "../contracts/errors";
import { toolEnvironment } from "../host/environment";
import { attempt, checkout } from "../host/folders";
import { probe } from "../host/probe";
import { readJson, stackFiles, writeOnce } from "./files";
import { inStackFolder, readOwner, stackStep, writeOwner, type Owner } from "./owner";

/** What is known of an owner before there is an id. */
export type Claimant = Omit<Owner, "id">;

/** Set by the embedded runner for the program, and by nobody else. */
export const runnerVariable = "ENGINE_COMPARISON_RUNNER";

/** The id in the state, which a runner gives to the program where the stack folder has lost it. */
export const idVariable = "ENGINE_COMPARISON_STACK_ID";

/**
 * The state backend that `npm start` gives to the Pulumi CLI. Without `metadata=skip` the CLI keeps
 * `.attrs` files beside the state, which it does not write atomically: killed there, it could never
 * read the state again.
 */
export function stackBackendUrl(stack: string): string {
  return `${pathToFileURL(stackFiles(stack).backend).href}?metadata=skip`;
}

/** What the running program would write as owner. */
export function claimant(stack: string, target: string): Claimant {
  const embedded = process.env[runnerVariable] === "embedded";
  return {
    checkout: fs.realpathSync(checkout),
    target,
    runner: embedded ? "embedded" : "pulumi",
    backend: embedded ? inStackFolder : currentBackend(stack),
  };
}

/**
 * Where the Pulumi CLI keeps the state, by the order in which it looks itself: the environment, the
 * project, the last login (https://www.pulumi.com/docs/iac/concepts/state-and-backends/).
 */
export function currentBackend(stack: string): string {
  const home = process.env.PULUMI_HOME || path.join(process.env.HOME ?? "/", ".pulumi");
  const login = () => readJson<{ current?: string }>(path.join(home, "credentials.json"))?.current;
  const url = process.env.PULUMI_BACKEND_URL || projectBackend() || login() || "";
  const [place] = url.split("?");
  const [own] = stackBackendUrl(stack).split("?");
  return normal(place) === normal(own) ? inStackFolder : normal(place);
}

function projectBackend(): string | undefined {
  // Loaded here alone: its 72 modules are a tenth of what the program loads.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { parse } = require("yaml") as typeof import("yaml");
  const text = fs.readFileSync(path.join(checkout, "Pulumi.yaml"), "utf8");
  return (parse(text) as { backend?: { url?: string } }).backend?.url;
}

/** One spelling of an address: `file://~` and a slash at the end mean the same as without. */
function normal(url: string): string {
  const whole = url.replace(/\/+$/, "");
  if (!whole.startsWith("file://")) return whole;
  const tail = whole.slice("file://".length).replace(/^~/, process.env.HOME ?? "~");
  if (!tail.startsWith("/")) return `file://${path.resolve(checkout, tail)}`;
  return attempt(() => `file://${fileURLToPath(`file://${tail}`)}`) ?? whole;
}

/**
 * Checks that `now` may go on with a stack that `owner` made. A checkout that is gone owns nothing.
 *
 * @throws UserError with the value that differs
 */
export function checkOwner(stack: string, owner: Claimant, now: Claimant): void {
  const isThere = () => fs.existsSync(path.join(owner.checkout, "Pulumi.yaml"));
  if (owner.checkout !== now.checkout && isThere()) {
    throw new UserError(
      `stack ${stack} belongs to the checkout ${owner.checkout}, and this is ${now.checkout}`,
      "two checkouts would deploy over each other's services and results",
      "choose another name with --stack and another portOffset, destroy the stack from the checkout " +
        "that owns it, or set ENGINE_COMPARISON_HOME to another folder",
    );
  }
  if (owner.target !== now.target) {
    throw new UserError(
      `stack ${stack} has target ${owner.target}, and the settings say ${now.target}`,
      "a stack keeps one target for life: what the old one made would be left behind",
      `set target back to ${owner.target}, choose another stack, or destroy this one first`,
    );
  }
  if (owner.runner !== now.runner) {
    throw new UserError(
      `stack ${stack} was made by ${runnerWords(owner)}, and this is ${runnerWords(now)}`,
      "each keeps a separate state, so the other would make everything a second time",
      owner.runner === "embedded"
        ? "use npm start and the other npm scripts for this stack, or npm run destroy first"
        : "use the Pulumi CLI for this stack, or pulumi destroy first",
    );
  }
  if (owner.backend !== now.backend) {
    const [was, is] = [owner, now].map(({ backend }) =>
      backend === inStackFolder ? stackBackendUrl(stack) : backend || "Pulumi Cloud",
    );
    throw new UserError(
      `the state of stack ${stack} is in ${was}, and the Pulumi CLI uses ${is}`,
      "with another state Pulumi would make everything a second time",
      owner.backend === inStackFolder
        ? `set PULUMI_BACKEND_URL=${was}, or use npm start`
        : `run pulumi login ${was}, set ENGINE_COMPARISON_HOME to another folder, or choose another stack`,
    );
  }
}

function runnerWords({ runner }: Claimant): string {
  return runner === "embedded" ? "the embedded runner" : "the Pulumi CLI";
}

/**
 * For the program, before it looks at anything else: refuses to touch what belongs to another
 * checkout, target, runner or state. Writes nothing.
 *
 * @returns the stack's id; undefined before its first up
 * @throws UserError as {@link checkOwner}
 */
export function checkStack(stack: string, target: string): string | undefined {
  const owner = readOwner(stack);
  if (owner) checkOwner(stack, owner, claimant(stack, target));
  return owner?.id ?? idInState(stack);
}

/**
 * For the program that deploys, when nothing is in the way any more and before its first resource:
 * claims the stack, and restores a record that is gone.
 *
 * @param id the stack's id, if it is known
 * @throws UserError as {@link checkOwner}
 */
export function claimStack(stack: string, target: string, id = randomBytes(8).toString("hex")) {
  const now = claimant(stack, target);
  let owner = readOwner(stack);
  if (!owner) {
    const first: Owner = { id, ...now };
    const written = writeOnce(stackFiles(stack).owner, JSON.stringify(first));
    owner = written ? first : (readOwner(stack) ?? first);
  }
  checkOwner(stack, owner, now);
  if (owner.checkout !== now.checkout) writeOwner(stack, { ...owner, ...now });
  return owner.id;
}

/** The id in the state of a stack whose folder has lost it, as a runner or the Pulumi CLI tells it. */
function idInState(stack: string): string | undefined {
  if (process.env[idVariable]) return process.env[idVariable];
  if (process.env[runnerVariable] === "embedded") return undefined;
  const exported = probe(
    ["pulumi", "stack", "export", "--stack", stack, "--cwd", checkout],
    60_000,
    toolEnvironment("pulumi"),
  );
  return exported === undefined ? undefined : idOf(exported);
}

/** @param state as `pulumi stack export` prints it */
export function idOf(state: string): string | undefined {
  return attempt(() => {
    const { deployment } = JSON.parse(state) as Deployment;
    const first = deployment.resources?.find(({ urn }) => urn.endsWith(`::${stackStep}`));
    const { SPEC = "{}" } = (first?.inputs?.environment ?? {}) as { SPEC?: string };
    return (JSON.parse(SPEC) as { id?: string }).id;
  });
}
