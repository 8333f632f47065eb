import * as Plot from "@observablehq/plot";
import type { Against } from "../../results/comparison";
import { tick, times } from "../format";
import type { Html } from "../html";
import type { Outcome } from "../../results/outcome";
import { engineName } from "../words";
import { absences, absencesInWords, bands, color, draw, valueAxis } from "./drawing";
import { roundValues } from "./samples";

const middle = () => 0;

/** How many times the baseline's time each run takes, with the interval; logarithmic, 1 marked. */
export function ratioChart(
  outcomes: readonly Outcome[],
  ratios: ReadonlyMap<string, Against>,
  id: string,
  title: string,
): Html {
  const found = outcomes.flatMap(({ engine }) => {
    const ratio = ratios.get(engine)?.ratio;
    return ratio ? [{ engine, ...ratio }] : [];
  });
  const withoutRatio = outcomes.filter(
    ({ engine, status }) => status === "verified" && !ratios.get(engine)?.ratio,
  );
  const least = Math.min(0.8, ...found.map(({ low }) => low)) / 1.1;
  const most = Math.max(1.25, ...found.map(({ high }) => high)) * 1.1;
  const { marks = [], ...layout } = bands(outcomes);
  return draw(
    {
      ...layout,
      marginRight: 52,
      x: { type: "log", domain: [least, most] },
      y: { domain: [-1, 1], axis: null },
      marks: [
        ...marks,
        ...valueAxis({
          label: "times the baseline's time",
          ticks: roundValues(least, most),
          tickFormat: (value: number) => `${tick(value)}×`,
        }),
        Plot.ruleX([1], { stroke: "var(--ink)", strokeWidth: 1.2, strokeDasharray: "3,3" }),
        Plot.ruleY(found, {
          x1: "low",
          x2: "high",
          y: middle,
          fy: "engine",
          stroke: color,
          strokeWidth: 2,
        }),
        Plot.tickX(found, { x: "low", fy: "engine", stroke: color, inset: 11, strokeWidth: 2 }),
        Plot.tickX(found, { x: "high", fy: "engine", stroke: color, inset: 11, strokeWidth: 2 }),
        Plot.dot(found, {
          x: "value",
          y: middle,
          fy: "engine",
          r: 5,
          fill: color,
          stroke: "var(--paper)",
          strokeWidth: 1,
        }),
        Plot.text(found, {
          x: "high",
          y: middle,
          fy: "engine",
          text: ({ value }: { value: number }) => times(value),
          textAnchor: "start",
          dx: 8,
          fontSize: 12,
          fill: "var(--ink)",
        }),
        Plot.text(withoutRatio, {
          fy: "engine",
          frameAnchor: "left",
          dx: 6,
          fontSize: 12,
          fill: "var(--quiet)",
          stroke: "var(--paper)",
          strokeWidth: 5,
          text: () => "not comparable",
        }),
        ...absences(outcomes),
      ],
    },
    { id, title, description: inWords(outcomes, ratios) },
  );
}

function inWords(outcomes: readonly Outcome[], ratios: ReadonlyMap<string, Against>): string {
  const runs = outcomes.flatMap(({ engine }) => {
    const found = ratios.get(engine);
    if (!found) return [];
    const { ratio } = found;
    if (!ratio) return [`${engineName(engine)}: not comparable (${found.why}).`];
    return [
      `${engineName(engine)}: ${times(ratio.value)}, ${times(ratio.low)} to ${times(ratio.high)}.`,
    ];
  });
  return runs.join(" ") + absencesInWords(outcomes);
}
