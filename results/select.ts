import { UserError } from "../infra/contracts/errors";
import type { Attempt } from "./history";

/** What `npm run compare` puts side by side: one attempt, or the last one of each run. */
export interface Selection {
  readonly kind: "attempt" | "date" | "commit";
  /** By the run's name. */
  readonly byRun: ReadonlyMap<string, Attempt>;
}

/** How many candidates an error names. */
const shown = 8;

/**
 * The attempts that `text` means: an attempt's id or the unique beginning of one, a date
 * (`2026-11-22`, `2026-11-22T21:53`; UTC) or a commit. Of a date or a commit, the last attempt of
 * each run counts, also where it failed.
 *
 * @throws UserError when it means nothing, or could mean several things; with the candidates
 */
export function select(attempts: readonly Attempt[], text: string): Selection {
  const exact = attempts.find(({ attempt }) => attempt === text);
  if (exact) return { kind: "attempt", byRun: new Map([[exact.run, exact]]) };
  const found = [byId(attempts, text), byDate(attempts, text), byCommit(attempts, text)].flatMap(
    (one) => one ?? [],
  );
  if (found.length === 1) return found[0];
  if (found.length > 1) {
    throw new UserError(
      `${JSON.stringify(text)} is the beginning of ${found.map(({ kind }) => `a ${kind}`).join(" and of ")}`,
      "only one of them can be compared",
      `give more of it: ${found.flatMap(({ byRun }) => [...byRun.values()].map(told)).join("; ")}`,
    );
  }
  throw new UserError(
    `${JSON.stringify(text)} is no attempt, date or commit of this stack's history`,
    "there is nothing to compare",
    attempts.length === 0
      ? "run npm start first: the history is empty"
      : `npm run results lists all; the last are ${attempts.slice(-shown).map(told).join("; ")}`,
  );
}

function byId(attempts: readonly Attempt[], text: string): Selection | undefined {
  // A bare day is the beginning of many ids, and meant as a date.
  if (!/^\d{8}T\d/.test(text)) return undefined;
  const found = attempts.filter(({ attempt }) => attempt.startsWith(text));
  if (found.length > 1) throw several(text, "attempts", found.map(told));
  return found.length === 0 ? undefined : last("attempt", found);
}

function byDate(attempts: readonly Attempt[], text: string): Selection | undefined {
  const compact = /^(\d{4})(\d\d)(\d\d)$/.exec(text);
  const date = compact ? compact.slice(1).join("-") : text.replace(" ", "T").replace(/Z$/, "");
  if (!/^\d{4}-\d\d(-\d\d(T\d\d(:\d\d(:\d\d)?)?)?)?$/.test(date)) return undefined;
  const found = attempts.filter(({ at }) => utc(at).startsWith(date));
  return found.length === 0 ? undefined : last("date", found);
}

function byCommit(attempts: readonly Attempt[], text: string): Selection | undefined {
  if (!/^[0-9a-f]{4,40}$/.test(text)) return undefined;
  const found = attempts.filter(({ commit }) => commit?.startsWith(text));
  const commits = [...new Set(found.map(({ commit }) => commit!))];
  if (commits.length > 1) throw several(text, "commits", commits);
  return found.length === 0 ? undefined : last("commit", found);
}

function last(kind: Selection["kind"], found: readonly Attempt[]): Selection {
  return { kind, byRun: new Map(found.map((attempt) => [attempt.run, attempt])) };
}

function several(text: string, what: string, candidates: readonly string[]): UserError {
  const more = candidates.length > shown ? `; and ${candidates.length - shown} more` : "";
  return new UserError(
    `${JSON.stringify(text)} is the beginning of ${candidates.length} ${what}`,
    "only one of them can be compared",
    `give more of it: ${candidates.slice(0, shown).join("; ")}${more}`,
  );
}

function told({ attempt, run, commit }: Attempt): string {
  return `${attempt} (${run}${commit ? `, commit ${commit.slice(0, 12)}` : ""})`;
}

function utc(at: string): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? at : time.toISOString();
}
