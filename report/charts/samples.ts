import * as Plot from "@observablehq/plot";
import { plural, seconds, tick } from "../format";
import type { Html } from "../html";
import { isVerified, type Sample, type Verified } from "../../results/outcome";
import { color, draw, type Chart } from "./drawing";

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
export function samplesChart(chart: Chart): Html {
  const verified = chart.outcomes.filter(isVerified);
  const dots = verified.flatMap(dotsOf);
  const { x, axis } = axisOf(verified);
  const radius = dots.length > 40 * verified.length ? 2 : 3.6;
  const common = { x: "seconds", y: "order", fy: "engine", r: radius } as const;
  const hollow = { ...common, fill: "var(--paper)", stroke: color, strokeWidth: 1.6 } as const;
  const later = (kind: Sample["kind"]) => dots.filter((dot) => dot.kind === kind && !dot.disturbed);
  const solid = { fill: color, stroke: "var(--paper)", strokeWidth: 0.7 };
  const line = { stroke: color, strokeWidth: 2.5, inset: 3 };
  return draw(chart, {
    scales: { x, y: { domain: [-0.5, 1.5], axis: null, reverse: true } },
    axis: { label: "seconds", ...axis },
    marks: [
      Plot.tickX(verified, { x: "median", fy: "engine", ...line }),
      Plot.dot(later("warm"), { ...common, ...solid, fillOpacity: 0.3 }),
      Plot.dot(later("hot"), { ...common, ...solid, fillOpacity: 0.75 }),
      Plot.dot(
        dots.filter(({ kind, disturbed }) => kind !== "first" && disturbed),
        hollow,
      ),
      Plot.dot(
        dots.filter(({ kind }) => kind === "first"),
        { ...hollow, symbol: "diamond", r: radius * 1.15 },
      ),
    ],
    inWords({ median, measured, basis, samples, state }) {
      const all = measured.flat();
      const range = `${seconds(Math.min(...all))} to ${seconds(Math.max(...all))}`;
      const text = `${plural(samples.length, "sample")}, median of the ${basis} ones ${seconds(median)}, ${range}`;
      return state === "still warming" ? `${text}, still warming` : text;
    },
  });
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

/** The scale and the axis of the samples' seconds. */
function axisOf(verified: readonly Verified[]): { x: Plot.ScaleOptions; axis: Plot.AxisXOptions } {
  const all = secondsOf(verified);
  if (!isLogarithmic(verified)) {
    const x = { type: "linear", domain: [0, Math.max(...all) || 1], nice: true } as const;
    return { x, axis: verified.length === 0 ? { ticks: [], label: null } : { ticks: 5 } };
  }
  const [min, max] = [Math.min(...all) / 1.15, Math.max(...all) * 1.15];
  return {
    x: { type: "log", domain: [min, max] },
    axis: { ticks: roundValues(min, max), tickFormat: tick },
  };
}

/** Round values for a logarithmic axis, about five of them: 1, 2, 5, 10 or fewer of these. */
export function roundValues(min: number, max: number): number[] {
  const decades = Math.log10(max / min);
  const mantissas = decades > 2.5 ? [1] : decades > 1.4 ? [1, 3] : [1, 2, 5];
  const powers = Array.from({ length: 24 }, (_, at) => at - 12);
  return powers
    .flatMap((power) => mantissas.map((mantissa) => Number(`${mantissa}e${power}`)))
    .filter((value) => value >= min && value <= max);
}
