import { removeStanding, writeStanding } from "./standing";
import { explainFullDisk, UserError } from "./userError";

/** What a step's script is given: the stack, the resource's name and the parsed SPEC. */
export interface StepContext<Spec> {
  readonly stack: string;
  readonly name: string;
  readonly spec: Spec;
}

/** One line of JSON: small, and nothing secret, because the state keeps it in clear. */
export type StepResult = Readonly<Record<string, unknown>>;

export interface StepVerbs<Spec> {
  create(context: StepContext<Spec>): Promise<StepResult>;
  /** Converges in place. Left out, `update` is `create`. */
  update?(context: StepContext<Spec>): Promise<StepResult>;
  /** Idempotent: what is gone already is no error. */
  delete?(context: StepContext<Spec>): Promise<void>;
}

const stderrLines = 20;

/**
 * The main function of a script behind `step()`: runs the verb in argv, prints one JSON line, and
 * keeps the record of things that stand (those whose spec has an `incarnation`).
 *
 * @returns never rejects: a failure is told on stderr, with exit code 1
 */
export async function runStep<Spec>(verbs: StepVerbs<Spec>): Promise<void> {
  try {
    const context: StepContext<Spec> = {
      stack: required("ENGINE_COMPARISON_STACK"),
      name: required("STEP"),
      spec: JSON.parse(required("SPEC")) as Spec,
    };
    await runVerb(process.argv[2], verbs, context);
  } catch (thrown) {
    const error = explainFullDisk(thrown);
    const told =
      error instanceof UserError ? error.message : String((error as Error).stack ?? error);
    process.stderr.write(told.split("\n").slice(0, stderrLines).join("\n") + "\n");
    process.exitCode = 1;
  }
}

async function runVerb<Spec>(
  verb: string | undefined,
  verbs: StepVerbs<Spec>,
  context: StepContext<Spec>,
): Promise<void> {
  const { incarnation } = context.spec as { incarnation?: number };
  if (verb === "delete") {
    await verbs.delete?.(context);
    removeStanding(context.stack, context.name);
    return;
  }
  if (verb !== "create" && verb !== "update") throw new Error(`no such verb: ${verb}`);
  const result = await (verb === "update" && verbs.update
    ? verbs.update(context)
    : verbs.create(context));
  if (incarnation !== undefined) {
    writeStanding(context.stack, context.name, { incarnation, result });
  }
  process.stdout.write(JSON.stringify(result) + "\n");
}

function required(variable: string): string {
  const value = process.env[variable];
  if (value === undefined) throw new Error(`${variable} is not set: steps are started by Pulumi`);
  return value;
}
