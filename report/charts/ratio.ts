import * as Plot from "@observablehq/plot";
import type { Against } from "../../results/comparison";
import { tick, times } from "../format";
import type { Html } from "../html";
import { color, draw, inBand, type Chart } from "./drawing";
import { roundValues } from "./samples";

const middle = { y: () => 0, fy: "engine" } as const;
const outline = { stroke: "var(--paper)", strokeWidth: 1 };
const beside = { textAnchor: "start", dx: 8, fontSize: 12, fill: "var(--ink)" } as const;

/** How many times the reference's time each run takes, with the interval; logarithmic, 1 marked. */
export function ratioChart(chart: Chart, ratios: ReadonlyMap<string, Against>): Html {
  const found = chart.outcomes.flatMap(({ engine }) => {
    const ratio = ratios.get(engine)?.ratio;
    return ratio ? [{ engine, ...ratio, words: times(ratio.value) }] : [];
  });
  const withoutRatio = chart.outcomes.filter(
    ({ engine, status }) => status === "verified" && !ratios.get(engine)?.ratio,
  );
  const min = Math.min(0.8, ...found.map(({ low }) => low)) / 1.1;
  const max = Math.max(1.25, ...found.map(({ high }) => high)) * 1.1;
  const end = { fy: "engine", stroke: color, inset: 11, strokeWidth: 2 } as const;
  return draw(chart, {
    scales: {
      marginRight: 52,
      x: { type: "log", domain: [min, max] },
      y: { domain: [-1, 1], axis: null },
    },
    axis: {
      label: "times the reference's time",
      ticks: roundValues(min, max),
      tickFormat: (value: number) => `${tick(value)}×`,
    },
    marks: [
      Plot.ruleX([1], { stroke: "var(--ink)", strokeWidth: 1.2, strokeDasharray: "3,3" }),
      Plot.ruleY(found, { x1: "low", x2: "high", ...middle, stroke: color, strokeWidth: 2 }),
      Plot.tickX(found, { x: "low", ...end }),
      Plot.tickX(found, { x: "high", ...end }),
      Plot.dot(found, { x: "value", ...middle, r: 5, fill: color, ...outline }),
      Plot.text(found, { x: "high", ...middle, text: "words", ...beside }),
      Plot.text(withoutRatio, { ...inBand, fill: "var(--quiet)", text: () => "not comparable" }),
    ],
    inWords({ engine }) {
      const against = ratios.get(engine);
      if (!against) return undefined;
      const { ratio } = against;
      if (!ratio) return `not comparable (${against.why})`;
      return `${times(ratio.value)}, ${times(ratio.low)} to ${times(ratio.high)}`;
    },
  });
}
