/** A known weakness of a package that is locked here. */
export interface Advisory {
  /** Such as GHSA-aaaa-bbbb-cccc or PYSEC-2026-1. */
  readonly id: string;
  readonly package: string;
}

/** Why an advisory does not matter here, and until when one need not look at it again. */
export interface Explained extends Advisory {
  readonly reason: string;
  /** The last day, as YYYY-MM-DD. */
  readonly until: string;
}

/**
 * What is wrong with a list of explanations.
 *
 * @param found the advisories that there are, or undefined where nobody could be asked
 * @param today as YYYY-MM-DD
 * @returns a sentence each; none if all is explained, and nothing in vain
 */
export function judge(
  explained: readonly Explained[],
  found: readonly Advisory[] | undefined,
  today: string,
): string[] {
  const same = (a: Advisory) => (b: Advisory) => a.id === b.id && a.package === b.package;
  const name = (a: Advisory) => `${a.id} of ${a.package}`;
  return [
    ...explained
      .filter(({ reason, until }) => !reason || !/^\d{4}-\d\d-\d\d$/.test(until))
      .map((one) => `${name(one)} has no reason or no date`),
    ...explained
      .filter(({ until }) => until < today)
      .map((one) => `the explanation of ${name(one)} has expired on ${one.until}`),
    ...(found ?? [])
      .filter((one) => !explained.some(same(one)))
      .map((one) => `${name(one)} is not explained`),
    ...explained
      .filter((one) => found && !found.some(same(one)))
      .map((one) => `${name(one)} need not be explained any more`),
  ];
}
