import * as Plot from "@observablehq/plot";
import { isVerified, type Verified } from "../../results/outcome";
import { bytes, tick } from "../format";
import type { Html } from "../html";
import { beside, color, draw, type Chart } from "./drawing";

const gib = 2 ** 30;

/** Peak memory of each run as a bar, of which the solid part was held before it began. */
export function memoryChart(chart: Chart): Html {
  const known = chart.outcomes.filter(isVerified).filter(hasPeak);
  const parts = known.flatMap(({ engine, peakMemory, idleMemory = 0 }) => {
    const idle = Math.min(idleMemory, peakMemory) / gib;
    return [
      { engine, from: 0, to: idle, opacity: 1 },
      { engine, from: idle, to: peakMemory / gib, opacity: 0.5 },
    ];
  });
  return draw(chart, {
    scales: {
      marginRight: 58,
      x: { domain: [0, Math.max(...known.map(({ peakMemory }) => peakMemory / gib)) || 1] },
    },
    axis: { label: "GiB", ticks: known.length === 0 ? [] : 5, tickFormat: tick },
    marks: [
      Plot.rectX(parts, {
        x1: "from",
        x2: "to",
        fy: "engine",
        fill: color,
        fillOpacity: "opacity",
        insetTop: 8,
        insetBottom: 8,
      }),
      Plot.text(known, {
        x: ({ peakMemory }: { peakMemory: number }) => peakMemory / gib,
        fy: "engine",
        text: ({ peakMemory }: { peakMemory: number }) => bytes(peakMemory),
        ...beside,
      }),
    ],
    inWords({ peakMemory, idleMemory }) {
      if (peakMemory === undefined) return "unknown";
      const idle = idleMemory === undefined ? "" : `, ${bytes(idleMemory)} of it before the job`;
      return `at most ${bytes(peakMemory)}${idle}`;
    },
  });
}

function hasPeak(run: Verified): run is Verified & { readonly peakMemory: number } {
  return run.peakMemory !== undefined;
}
