import { bytes, number, percent } from "../report/format";
import type { Ratio } from "../results/statistics";
import { figuresOf, type Figures } from "./figures";
import type { Host, Outcome } from "./harness";

/** A table as it is shown and put into the document. */
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

/** A table's last column. */
export interface Column {
  readonly head: string;
  readonly cell: (figures: Figures) => string;
  /** How it is meant, in a sentence. */
  readonly legend: string;
}

const disturbed: Column = {
  head: "disturbed",
  cell: (row) => `${row.disturbed} of ${row.hot}`,
  legend: "disturbed: others took more than a tenth of the cores in all tries.",
};

export function tableOf(outcome: Outcome, last: Column = disturbed): Table {
  const { title, host, contenders } = outcome;
  const versions = Object.fromEntries(contenders.flatMap((one) => Object.entries(one.versions)));
  const data = { ...outcome, figures: figuresOf(outcome) };
  return {
    title,
    rows: rowsOf(outcome, last),
    legend: legendOf(outcome, last),
    host,
    versions,
    data,
  };
}

function rowsOf({ work, ...outcome }: Outcome, last: Column): string[][] {
  return [
    [
      "",
      "start-up",
      "first",
      "median",
      "interval",
      ...(work ? [`${work.unit}/s`, "share of"] : ["times"]),
      "CPU",
      "peak memory",
      last.head,
    ],
    ...figuresOf({ work, ...outcome }).map((row) => [
      row.name,
      row.startUpSeconds < 0.001 ? "" : number(row.startUpSeconds),
      number(row.firstSeconds),
      number(row.median.value),
      between(row.median),
      ...(row.perSecond === undefined
        ? [compared(row, number, (ratio) => ratio)]
        : [number(row.perSecond), compared(row, percent, share)]),
      number(row.cpuSeconds),
      bytes(row.peakMemoryBytes),
      last.cell(row),
    ]),
  ];
}

/** `2.08 [2.01, 2.13] of baseline` */
function compared(
  { against }: Figures,
  written: (value: number) => string,
  of: (ratio: Ratio) => Pick<Ratio, "value" | "low" | "high">,
): string {
  if (!against) return "";
  const { value, low, high } = of(against.ratio);
  return `${written(value)} [${written(low)}, ${written(high)}] of ${against.name}`;
}

/** How much of the other's speed it has: one by the ratio of the times. */
function share({ value, low, high }: Ratio): Pick<Ratio, "value" | "low" | "high"> {
  return { value: 1 / value, low: 1 / high, high: 1 / low };
}

function between({ low, high }: { low: number; high: number }): string {
  return `[${number(low)}, ${number(high)}]`;
}

/** How a table's figures are meant, in a sentence. */
function legendOf(outcome: Outcome, last: Column): string {
  const [first] = figuresOf(outcome);
  return (
    `Seconds; ${first.hot} hot samples each, the interval covers the median with ` +
    `${percent(first.median.confidence)}; ` +
    `${outcome.work ? "share of: the other's median by this one" : "times: median by the other's"}, ` +
    "bootstrapped with 95 % (the extremes where there are fewer than 5); CPU: the median's seconds; " +
    last.legend
  );
}

/** The table with Node's version, on which the speed of what this program does depends. */
export function withNode(table: Table): Table {
  return { ...table, versions: { ...table.versions, node: process.versions.node } };
}
