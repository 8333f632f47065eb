import { together, UserError } from "./errors";

/** What checks look at: a stack by its settings, deployed or not. */
export interface Context<Settings> {
  readonly stack: string;
  readonly settings: Settings;
  /** The stack's id; undefined before its first up. */
  readonly id: string | undefined;
  /** Whether anything of the stack was deployed. */
  readonly deployed: boolean;
  /** What a function finds out; it is called once, however many checks and components ask. */
  readonly facts: <Facts>(gather: (context: Context<Settings>) => Facts) => Facts;
}

export function contextOf<Settings>(subject: Omit<Context<Settings>, "facts">): Context<Settings> {
  const known = new Map<unknown, unknown>();
  const context: Context<Settings> = {
    ...subject,
    facts<Facts>(gather: (context: Context<Settings>) => Facts) {
      if (!known.has(gather)) known.set(gather, gather(context));
      return known.get(gather) as Facts;
    },
  };
  return context;
}

/**
 * A cause of trouble, looked for. A deployment runs those that block before it declares anything,
 * `npm run doctor` runs all.
 */
export interface Check<Settings, Facts = unknown> {
  /** The first column of the table in docs/troubleshooting.md. */
  readonly id: string;
  /** What is in order when nothing is found. */
  readonly name: string;
  /** Whether a deployment must stop at what it finds: always, never, or by what must still be made. */
  readonly blocks: boolean | ((context: Context<Settings>) => boolean | Promise<boolean>);
  /** Whether there is anything to look at. @default always */
  readonly applies?: (context: Context<Settings>) => boolean;
  /** Checks by id: where one of them fails, this one would show its effect. */
  readonly after?: readonly string[];
  /** Gathers facts, without judging. @throws UserError where what has the facts does not answer */
  observe(context: Context<Settings>): Facts | Promise<Facts>;
  /** Decides from facts alone. @default all is well where `observe` throws nothing */
  judge?(facts: Facts, context: Context<Settings>): readonly UserError[];
}

export interface Finding<Settings> {
  readonly check: Check<Settings>;
  readonly errors: readonly UserError[];
  /** The check that has found the cause of what this one would find, so that it was left out. */
  readonly skippedFor?: string;
}

/** Runs the checks that apply, one after the other. @param run what runs one check */
export async function* examine<Settings>(
  context: Context<Settings>,
  checks: readonly Check<Settings>[],
  run: typeof runCheck<Settings> = runCheck,
): AsyncGenerator<Finding<Settings>> {
  const failing = new Set<string>();
  for (const check of checks.filter(({ applies }) => applies?.(context) ?? true)) {
    const skippedFor = check.after?.find((id) => failing.has(id));
    const errors = skippedFor ? [] : await run(check, context);
    if (errors.length > 0) failing.add(check.id);
    yield { check, errors, ...(skippedFor ? { skippedFor } : {}) };
  }
}

export async function runCheck<Settings>(check: Check<Settings>, context: Context<Settings>) {
  try {
    const facts = await check.observe(context);
    return check.judge?.(facts, context) ?? [];
  } catch (error) {
    if (error instanceof UserError) return [error];
    throw error;
  }
}

/**
 * Runs the checks that block, before a deployment declares anything. Writes nothing.
 *
 * @throws UserError with all that is in the way, at once rather than one by one
 */
export async function preflight<Settings>(
  context: Context<Settings>,
  checks: readonly Check<Settings>[],
): Promise<void> {
  const blocking: Check<Settings>[] = [];
  for (const check of checks) {
    const { blocks } = check;
    if (typeof blocks === "function" ? await blocks(context) : blocks) blocking.push(check);
  }
  const errors: UserError[] = [];
  for await (const finding of examine(context, blocking)) errors.push(...finding.errors);
  if (errors.length > 0) throw together(errors);
}
