import * as path from "node:path";
import { checkout } from "../infra/host/folders";
import type { codeVersion } from "../pipelines/inputs";
import { bytes, moment, number, percent } from "../report/format";
import type { Interval } from "../results/statistics";
import { figuresOf, type Figures, type Host, type Outcome } from "./harness";

export interface Table {
  readonly title: string;
  /** The first one has the heads. */
  readonly rows: readonly (readonly string[])[];
  /** How the figures are meant. */
  readonly legend: string;
  readonly host: Host;
  readonly versions: Readonly<Record<string, string>>;
  /** All that was measured, for `--json`. */
  readonly data: unknown;
}

export function tableOf(outcome: Outcome): Table {
  const { title, host, contenders, work } = outcome;
  const figures = figuresOf(outcome);
  const heads = [
    ...["", "start-up", "one-shot", "steady", "interval"],
    ...(work ? [`${work.unit}/s`, "share of"] : ["times"]),
    ...["CPU", "peak memory", "samples"],
  ];
  const counts = figures.map((row) => row.forks);
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  const ofReference = most > fewest ? ` (the reference: ${most})` : "";
  const compared = work
    ? "share of: the other's median of the same rounds by this one"
    : "times: median by the other's of the same rounds";
  return {
    title,
    rows: [heads, ...figures.map(cellsOf)],
    legend:
      "Seconds; one-shot: start-up and first sample; steady: the median of the hot samples of " +
      (fewest === 1
        ? "one driver process, so that nothing is known of the spread between processes"
        : `${fewest} driver processes${ofReference}`) +
      "; " +
      `${compared}; intervals: 95 %, resampled over processes first, samples second; ` +
      "CPU: the median's seconds; samples: how many hot ones count, and what is to know about them.",
    host,
    versions: Object.fromEntries(contenders.flatMap((one) => Object.entries(one.versions))),
    data: { ...outcome, figures },
  };
}

function cellsOf(row: Figures): string[] {
  const { startUpSeconds, median, perSecond, disturbed, state } = row;
  const notes = [
    String(row.hot),
    ...(state === "still warming" ? [state] : []),
    ...(disturbed > 0 ? [`${disturbed} disturbed`] : []),
  ];
  return [
    row.name,
    startUpSeconds < 0.001 ? "" : number(startUpSeconds),
    number(row.oneShotSeconds),
    number(median.value),
    between(median),
    ...(perSecond === undefined
      ? [compared(row, number, (ratio) => ratio)]
      : [number(perSecond), compared(row, percent, share)]),
    number(row.cpuSeconds),
    bytes(row.peakMemoryBytes),
    notes.join(", "),
  ];
}

type Range = Pick<Interval, "value" | "low" | "high">;

/** `2.08 [2.01, 2.13] of polars` */
function compared(
  { against }: Figures,
  written: (value: number) => string,
  of: (ratio: Interval) => Range,
): string {
  if (!against) return "";
  const range = of(against.ratio);
  return `${written(range.value)} ${between(range, written)} of ${against.name}`;
}

/** How much of the other's speed it has: one by the ratio of the times. */
function share({ value, low, high }: Interval): Range {
  return { value: 1 / value, low: 1 / high, high: 1 / low };
}

function between({ low, high }: Pick<Range, "low" | "high">, written = number): string {
  return `[${written(low)}, ${written(high)}]`;
}

/** The table with Node's version, on which the speed of what this program does depends. */
export function withNode(table: Table): Table {
  return { ...table, versions: { ...table.versions, node: process.versions.node } };
}

export const documentFile = path.join(checkout, "docs", "performance.md");

export interface Section {
  readonly name: string;
  readonly tables: readonly Table[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
  readonly at: string;
}

type Origin = ReturnType<typeof codeVersion> & { readonly command: string };

/**
 * Replaces a benchmark's tables in a page; what is written around them stays.
 *
 * @returns the page as it is where it has no place for them
 */
export function withSection(page: string, section: Section, origin: Origin): string {
  const [begin, end] = [`<!-- bench:${section.name} -->`, `<!-- /bench:${section.name} -->`];
  const [at, until] = [page.indexOf(begin), page.indexOf(end)];
  if (at < 0 || until < at) return page;
  const text = [begin, ...sectionLines(section, origin), ""].join("\n");
  return page.slice(0, at) + text + page.slice(until);
}

function sectionLines({ tables, notes, at }: Section, origin: Origin): string[] {
  const [first] = tables;
  const legends = [...new Set(tables.map(({ legend }) => legend))];
  return [
    ...tables.flatMap(({ title, rows }) => ["", `**${title}**`, "", ...markdown(rows)]),
    ...[...legends, notes.join(" ")].filter(Boolean).flatMap((text) => ["", text]),
    ...(first ? ["", provenance(first, at, origin)] : []),
    "",
  ];
}

function markdown([heads, ...rows]: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map((_, at) => (at === 0 ? "---" : "--:"))), ...rows.map(line)];
}

function provenance({ host, versions }: Table, at: string, origin: Origin): string {
  const names = Object.entries(versions).sort(([a], [b]) => a.localeCompare(b));
  const commit = origin.commit ? `commit ${origin.commit.slice(0, 10)}` : "no commit";
  const facts = [
    `${host.cpu}, ${host.cores} cores, ${bytes(host.memoryBytes)}, ${host.system}`,
    ...names.map(([name, version]) => `${name} ${version}`),
  ];
  const changes = origin.dirty ? " with changes" : "";
  return `*${moment(at)}, \`${origin.command}\` at ${commit}${changes}; ${facts.join(", ")}.*`;
}
