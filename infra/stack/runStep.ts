import { removeStepRecord, writeStepRecord } from "./records";
import { explainFullDisk, UserError } from "../contracts/errors";

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
 * Carries out a step for steps.mjs: runs the verb, prints one JSON line, and keeps the record of
 * services, tools and data (steps whose spec has a `generation`).
 *
 * @param load loads the code of the step's kind; undefined where there is no such kind
 * @returns never rejects: a failure is printed on stderr, with exit code 1
 */
export async function runStep(
  verb: string | undefined,
  load: (() => StepVerbs<unknown>) | undefined,
): Promise<void> {
  try {
    if (!load) throw new Error("steps.mjs has no such kind of step");
    const context: StepContext<unknown> = {
      stack: required("ENGINE_COMPARISON_STACK"),
      name: required("STEP"),
      spec: JSON.parse(required("SPEC")) as unknown,
    };
    await runVerb(verb, load(), context);
  } catch (thrown) {
    const error = explainFullDisk(thrown);
    const printed =
      error instanceof UserError ? error.message : String((error as Error).stack ?? error);
    process.stderr.write(printed.split("\n").slice(0, stderrLines).join("\n") + "\n");
    process.exitCode = 1;
  }
}

async function runVerb<Spec>(
  verb: string | undefined,
  verbs: StepVerbs<Spec>,
  context: StepContext<Spec>,
): Promise<void> {
  const { generation } = context.spec as { generation?: string };
  if (verb === "delete") {
    await verbs.delete?.(context);
    removeStepRecord(context.stack, context.name);
    return;
  }
  if (verb !== "create" && verb !== "update") throw new Error(`no such verb: ${verb}`);
  const result = await (verb === "update" && verbs.update
    ? verbs.update(context)
    : verbs.create(context));
  if (generation !== undefined) {
    writeStepRecord(context.stack, context.name, { generation, result });
  }
  process.stdout.write(JSON.stringify(result) + "\n");
}

function required(variable: string): string {
  const value = process.env[variable];
  if (value === undefined) throw new Error(`${variable} is not set: steps are started by Pulumi`);
  return value;
}
