import * as fs from "node:fs";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Generations, Given } from "./credentials";
import { canonicalJson, stackFiles } from "./files";
import { stackStep } from "./owner";
import { readStepRecord, writeStepRecord } from "./records";
import type { StepResult } from "./runStep";

/** Plain data that a step reads; it shows in previews, so nothing secret and no path of the machine. */
export type StepSpec = Readonly<Record<string, unknown>> & {
  /** Of a step with a record. */
  readonly generation?: pulumi.Input<string>;
};

export interface StepArgs {
  /** A kind of steps.mjs. States record it for the delete, with what that reads of the spec. */
  readonly kind: string;
  /** What the script and the stack's record know the step by. @default the resource's name */
  readonly record?: string;
  readonly spec: pulumi.Input<StepSpec>;
  /** Handed to the script's stdin; the only way in for a secret. */
  readonly stdin?: pulumi.Input<string>;
  /** What makes the step be replaced. Only runs and oracles have it: things that stand are updated. */
  readonly triggers?: StepSpec;
  /** Whether the script has a `delete`. @default true */
  readonly deletes?: boolean;
}

/**
 * Declares impure work as a `command.local.Command`: `node steps.mjs <kind> create|update|delete`.
 *
 * With `triggers` the step is a run: replaced, so created anew, when they change. Without, it is a
 * thing that exists. Any other changed input runs `update`, which converges in place.
 *
 * The command starts with `exec`, because on cancel the provider kills only the shell.
 */
export function step(
  name: string,
  args: StepArgs,
  opts: pulumi.CustomResourceOptions,
): command.local.Command {
  const { record = name } = args;
  const verb = (name: string) => `exec node steps.mjs ${args.kind} ${name}`;
  const inputs: command.local.CommandArgs = {
    create: verb("create"),
    update: verb("update"),
    ...(args.triggers ? { triggers: [args.triggers] } : {}),
    ...((args.deletes ?? !args.triggers) ? { delete: verb("delete") } : {}),
    environment: {
      ENGINE_COMPARISON_STACK: pulumi.getStack(),
      STEP: record,
      SPEC: pulumi.output(args.spec).apply(canonicalJson),
    },
    ...(args.stdin === undefined ? {} : { stdin: args.stdin }),
    addPreviousOutputInEnv: false,
    logging: command.local.Logging.None,
  };
  const made = withoutTraces(
    () => new command.local.Command(name, inputs, { ...opts, dependsOn: afterFirst(opts) }),
  );
  restoreRecord(record, args.spec, made);
  return made;
}

/** The first step of each program, which knows the stack's id: all others depend on it. */
const firsts = new WeakMap<object, pulumi.Resource>();

/**
 * Declares the stack's first resource, whose delete is the last: while something of the stack is
 * left, its id and its records are needed.
 *
 * @param id undefined in a preview before the first up
 * @returns the id, unknown in such a preview
 */
export function declareStack(id: string | undefined): pulumi.Output<string> {
  const first = step(stackStep, { kind: "stack", spec: { id: id ?? "made by the first up" } }, {});
  const root = pulumi.runtime.getStackResource();
  if (root) firsts.set(root, first);
  return id === undefined
    ? printed<{ id: string }>(first).apply(({ id }) => id)
    : pulumi.output(id);
}

function afterFirst({ dependsOn }: pulumi.CustomResourceOptions) {
  const root = pulumi.runtime.getStackResource();
  const first = root && firsts.get(root);
  if (!first) return dependsOn;
  return pulumi.output(dependsOn).apply((more) => [first, ...[more ?? []].flat()]);
}

/** A record that vanished from the stack folder is written again from what the state knows. */
function restoreRecord(name: string, spec: StepArgs["spec"], made: command.local.Command): void {
  const stack = pulumi.getStack();
  // Most steps have their record, or none at all: outputs are made for the others alone.
  const recorded = pulumi.Output.isInstance(spec) || "generation" in spec;
  if (!recorded || readStepRecord(stack, name) !== undefined) return;
  if (pulumi.runtime.isDryRun() || !fs.existsSync(stackFiles(stack).owner)) return;
  pulumi.all([spec, made.stdout]).apply(([{ generation }, line]) => {
    // A step that was carried out has written it.
    if (typeof generation !== "string" || readStepRecord(stack, name) !== undefined) return;
    writeStepRecord(stack, name, { generation, result: JSON.parse(line) as StepResult });
  });
}

/**
 * Makes a resource without the stack traces that the SDK takes of its promises, four for each
 * property: they are for PULUMI_DEBUG_PROMISE_LEAKS alone, and looking all their frames up in source
 * maps is an eighth of a deployment with nothing to do. For the resource's own position the SDK sets
 * the limit itself.
 */
function withoutTraces<T>(make: () => T): T {
  if (process.env.PULUMI_DEBUG_PROMISE_LEAKS) return make();
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** What a step printed: the one JSON line on its stdout. */
export function printed<T>(done: command.local.Command): pulumi.Output<T> {
  return done.stdout.apply((line) => JSON.parse(line) as T);
}

/** The credentials that everybody knows, for the stacks that people try things with. */
const wellKnown = "minioadmin";
const stacksWithWellKnown = ["local", "dev"];

/**
 * What MinIO's root user is called and identified by, where undefined means a random value that is
 * made once and kept, and the secrets of a store and of clusters that are not the stack's own.
 */
export function givenCredentials(settings: Given, stack: string): Given {
  const fallback = stacksWithWellKnown.includes(stack) ? wellKnown : undefined;
  const { minioRootUser = fallback, minioRootPassword = fallback } = settings;
  const { s3AccessKey, s3SecretKey, sparkSecret, rayToken } = settings;
  return { minioRootUser, minioRootPassword, s3AccessKey, s3SecretKey, sparkSecret, rayToken };
}

export interface KeptCredentialsArgs {
  /** The settings, with the user's secrets. @example readSettings(pulumi.runtime.allConfig()) */
  readonly settings: Given;
  /** The stack's name: `local` and `dev` have credentials that everybody knows. @example "prod" */
  readonly stack: string;
  /** Rises when the files were lost, so that they are written again. @example "1" */
  readonly generation: string;
}

/** The stack's secrets, in files for its user alone; they travel by the step's stdin. */
export class KeptCredentials extends pulumi.ComponentResource {
  readonly resource: pulumi.Resource;
  /** How often each changed: an input of what has to restart then. */
  readonly generations: pulumi.Output<Generations>;

  constructor(name: string, args: KeptCredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:stack:KeptCredentials", name, {}, opts);
    const { settings, stack, generation } = args;
    const kept = step(
      name,
      {
        kind: "credentials",
        record: "credentials",
        spec: { generation },
        stdin: pulumi.secret(JSON.stringify(givenCredentials(settings, stack))),
      },
      { parent: this },
    );
    this.resource = kept;
    this.generations = pulumi
      .unsecret(printed<{ generations: Generations }>(kept))
      .apply(({ generations }) => generations);
    this.registerOutputs();
  }
}
