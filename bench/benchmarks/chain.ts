/** A step of a deployment. */
export interface Step {
  readonly urn: string;
  readonly name: string;
  /** URNs of what it waited for. */
  readonly needs: readonly string[];
  /** Seconds from the deployment's begin. */
  readonly start: number;
  readonly end: number;
}

/**
 * The steps that need each other and together took longest: with any number of cores the deployment
 * takes as long. In the order in which they ran.
 */
export function longestChain(steps: readonly Step[]): Step[] {
  const byUrn = new Map(steps.map((step) => [step.urn, step]));
  const found = new Map<Step, { seconds: number; steps: Step[] }>();
  const chainTo = (step: Step): { seconds: number; steps: Step[] } => {
    const known = found.get(step);
    if (known) return known;
    const before = step.needs
      .flatMap((urn) => byUrn.get(urn) ?? [])
      .map(chainTo)
      .reduce((best, one) => (one.seconds > best.seconds ? one : best), { seconds: 0, steps: [] });
    const chain = {
      seconds: before.seconds + step.end - step.start,
      steps: [...before.steps, step],
    };
    found.set(step, chain);
    return chain;
  };
  return steps
    .map(chainTo)
    .reduce((best, one) => (one.seconds > best.seconds ? one : best), { seconds: 0, steps: [] })
    .steps;
}
