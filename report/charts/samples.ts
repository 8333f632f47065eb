import * as Plot from "@observablehq/plot";
import { plural, seconds, tick } from "../format";
import type { Html } from "../html";
import { isVerified, type Outcome, type Sample, type Verified } from "../../results/outcome";
import { engineName } from "../words";
import { absences, absencesInWords, bands, color, draw, most, valueAxis } from "./drawing";

interface Dot extends Sample {
  readonly engine: string;
  /** Place in the order taken, 0 to 1 from top to bottom. */
  readonly order: number;
}

/** Samples further apart than this factor are shown on a logarithmic axis. */
const logarithmicFrom = 12;

/** Whether the samples are so far apart that a linear axis would pile up the short ones. */
export function isLogarithmic(verified: readonly Verified[]): boolean {
  const all = secondsOf(verified);
  return Math.min(...all) > 0 && Math.max(...all) / Math.min(...all) > logarithmicFrom;
}

/** Every sample of every run as a dot, with the median of those that count as a line. */
export function samplesChart(outcomes: readonly Outcome[], id: string, title: string): Html {
  const verified = outcomes.filter(isVerified);
  const dots = verified.flatMap(dotsOf);
  const radius = dots.length > 40 * verified.length ? 2 : 3.6;
  const common = { x: "seconds", y: "order", fy: "engine", r: radius } as const;
  const { marks = [], ...layout } = bands(outcomes);
  return draw(
    {
      ...layout,
      x: scale(verified),
      y: { domain: [-0.5, 1.5], axis: null, reverse: true },
      marks: [
        ...marks,
        ...valueAxis({ label: "seconds", ...ticks(verified) }),
        Plot.tickX(verified, {
          x: "median",
          fy: "engine",
          stroke: color,
          strokeWidth: 2.5,
          inset: 3,
        }),
        Plot.dot(
          dots.filter(({ kind, disturbed }) => kind === "hot" && !disturbed),
          { ...common, fill: color, fillOpacity: 0.75, stroke: "var(--paper)", strokeWidth: 0.7 },
        ),
        Plot.dot(
          dots.filter(({ kind, disturbed }) => kind === "hot" && disturbed),
          { ...common, fill: "var(--paper)", stroke: color, strokeWidth: 1.6 },
        ),
        Plot.dot(
          dots.filter(({ kind }) => kind === "first"),
          {
            ...common,
            symbol: "diamond",
            r: radius * 1.15,
            fill: "var(--paper)",
            stroke: color,
            strokeWidth: 1.6,
          },
        ),
        ...absences(outcomes),
      ],
    },
    { id, title, description: inWords(outcomes) },
  );
}

function dotsOf({ engine, samples }: Verified): Dot[] {
  const last = samples.length - 1;
  return samples.map((sample, at) => ({
    ...sample,
    engine,
    order: last === 0 ? 0.5 : at / last,
  }));
}

function secondsOf(verified: readonly Verified[]): number[] {
  return verified.flatMap(({ samples }) => samples.map((sample) => sample.seconds));
}

function scale(verified: readonly Verified[]): Plot.ScaleOptions {
  const longest = most(verified, ({ samples }) => Math.max(...samples.map((one) => one.seconds)));
  if (!isLogarithmic(verified)) return { type: "linear", domain: [0, longest], nice: true };
  return { type: "log", domain: [Math.min(...secondsOf(verified)) / 1.15, longest * 1.15] };
}

function ticks(verified: readonly Verified[]): Plot.AxisXOptions {
  if (verified.length === 0) return { ticks: [], label: null };
  if (!isLogarithmic(verified)) return { ticks: 5 };
  const all = secondsOf(verified);
  const [least, longest] = [Math.min(...all) / 1.15, Math.max(...all) * 1.15];
  return { ticks: roundValues(least, longest), tickFormat: tick };
}

/** Round values for a logarithmic axis, about five of them: 1, 2, 5, 10 or fewer of these. */
export function roundValues(least: number, most: number): number[] {
  const decades = Math.log10(most / least);
  const mantissas = decades > 2.5 ? [1] : decades > 1.4 ? [1, 3] : [1, 2, 5];
  const powers = Array.from({ length: 24 }, (_, at) => at - 12);
  return powers
    .flatMap((power) => mantissas.map((mantissa) => Number(`${mantissa}e${power}`)))
    .filter((value) => value >= least && value <= most);
}

function inWords(outcomes: readonly Outcome[]): string {
  const runs = outcomes.filter(isVerified).map(({ engine, median, measured, basis, samples }) => {
    const range = `${seconds(Math.min(...measured))} to ${seconds(Math.max(...measured))}`;
    return `${engineName(engine)}: ${plural(samples.length, "sample")}, median of the ${basis} ones ${seconds(median)}, ${range}.`;
  });
  return runs.join(" ") + absencesInWords(outcomes);
}
