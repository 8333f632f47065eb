import { number } from "../../report/format";
import { leftOut, readHistory, type Attempt } from "../../results/history";
import { compare as compared, rule, select, type Compared } from "../../results/comparison";
import { textTable } from "../terminal/lines";
import { verb } from "../verb";
import { spread } from "./results";

export const compare = verb({
  summary:
    "compare two attempts, dates or commits: is B faster than A, slower, or within noise\n" +
    "(exit code 0; 1 where B is slower, 3 where something is missing for a verdict)",
  positionals: [
    {
      name: "A",
      help:
        "an attempt's id or its beginning, a date (2026-11-22 or 2026-11-22T21:53, UTC), or\n" +
        "a commit; of a date or a commit, the last attempt of each run counts",
    },
    { name: "B", help: "as A" },
  ],
  options: { json: { type: "boolean", help: "prints one JSON array" } },
  async run({ stack, positionals, options }) {
    const history = readHistory(stack);
    for (const line of leftOut(stack, history)) console.error(line);
    const { attempts } = history;
    const [a, b] = positionals.map((text) => select(attempts, text));
    const lines = compared(a, b).map((line) => onStack(stack, line));
    if (options.json) console.log(JSON.stringify(lines.map(asJson), undefined, 2));
    else for (const line of comparisonLines(lines)) console.log(line);
    return exitCode(lines);
  },
});

/** A comparison with the stack named in the command that supplies what is missing. */
export function onStack(stack: string, line: Compared): Compared {
  if (!line.missing || stack === "local") return line;
  const command = `${line.missing.command} --stack ${stack}`;
  return { ...line, missing: { ...line.missing, command } };
}

/** What a script gets: whether all can be compared, and none is slower. */
export function exitCode(lines: readonly Compared[]): number {
  if (lines.some(({ missing }) => missing)) return 3;
  return lines.some(({ verdict }) => verdict === "slower") ? 1 : 0;
}

/** The comparison for people: one line a run, what is missing or to know below it, and the rule. */
export function comparisonLines(lines: readonly Compared[]): string[] {
  const rows = lines.map(({ run, a, b, verdict, ratio }) => [
    run,
    medianOf(a),
    medianOf(b),
    ratio === undefined
      ? "-"
      : `${number(ratio.value)}x [${number(ratio.low)}, ${number(ratio.high)}]`,
    verdict ?? "not comparable",
    `${samplesOf(a)} | ${samplesOf(b)}`,
  ]);
  const head = ["run", "A", "B", "B/A", "B is", "samples of A | B"];
  const [names, ...table] = textTable([head, ...rows], ["A", "B", "B/A"]);
  return [
    names,
    ...table.flatMap((line, at) => {
      const { missing, marks } = lines[at];
      const notes = missing ? [`${missing.what}; to compare: ${missing.command}`] : marks;
      return [line, ...notes.map((note) => `    ! ${note}`)];
    }),
    "",
    ...rule,
  ];
}

function medianOf(attempt: Attempt | undefined): string {
  if (!attempt) return "-";
  return attempt.status === "verified" ? `${number(attempt.median)} s` : attempt.status;
}

function samplesOf(attempt: Attempt | undefined): string {
  if (!attempt) return "no attempt";
  return attempt.status === "verified" ? spread(attempt) : attempt.status;
}

function asJson({ run, a, b, verdict, ratio, missing, marks }: Compared): Record<string, unknown> {
  const side = (attempt: Attempt | undefined) => {
    if (!attempt) return null;
    const { at, status } = attempt;
    const common = { attempt: attempt.attempt, at, status };
    if (attempt.status !== "verified") return { ...common, reason: attempt.reason };
    return { ...common, medianSeconds: attempt.median, samples: attempt.measured };
  };
  const sides = { a: side(a), b: side(b) };
  const found = { verdict: verdict ?? null, ratio: ratio ?? null, missing: missing ?? null };
  return { run, ...sides, ...found, marks };
}
