import { runKey, type Inputs } from "./result";
import type { Attempt } from "./history";
import { isVerified } from "./outcome";

/** One input of a run: what it was when the run was last recorded, and what it is now. */
export interface ExplainedInput {
  readonly name: string;
  /** Undefined where there was no such input, or nothing is recorded. */
  readonly old?: string;
  /** Undefined where there is no such input any more. */
  readonly now?: string;
}

/** Why a run would be done again, or why not. */
export interface Explanation {
  readonly run: string;
  /** The last attempt whose inputs are known; undefined where there is none. */
  readonly recorded?: Attempt;
  /** The last attempt of all, which may have failed. */
  readonly last?: Attempt;
  readonly key: string;
  readonly inputs: readonly ExplainedInput[];
}

/**
 * Compares what a run depends on now with what it depended on when it last came to a result.
 *
 * @param attempts the history, in order
 */
export function explainRun(run: string, now: Inputs, attempts: readonly Attempt[]): Explanation {
  const own = attempts.filter((attempt) => attempt.run === run);
  const recorded = own.filter((attempt) => isVerified(attempt) && attempt.inputs).at(-1);
  const old = recorded?.inputs ?? {};
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  const value = (inputs: Inputs, name: string) =>
    Object.hasOwn(inputs, name) ? inputs[name] : undefined;
  return {
    run,
    recorded,
    last: own.at(-1),
    key: runKey(now),
    inputs: names.map((name) => ({ name, old: value(old, name), now: value(now, name) })),
  };
}

/** The inputs that differ. */
export function changed({ inputs }: Explanation): readonly ExplainedInput[] {
  return inputs.filter(({ old, now }) => old !== now);
}
