import * as Plot from "@observablehq/plot";
import { isVerified, type Verified } from "../../results/outcome";
import { bytes, seconds, tick } from "../format";
import type { Html } from "../html";
import { color, draw, type Chart, type Drawn } from "./drawing";

interface Bar {
  readonly engine: string;
  readonly row?: "cold" | "hot";
  readonly from: number;
  readonly to: number;
  readonly opacity: number;
}

interface Bars extends Pick<Drawn, "inWords"> {
  readonly bars: readonly Bar[];
  /** The words behind the bar that ends at `at`. */
  readonly ends: readonly (Pick<Bar, "engine" | "row"> & { at: number; words: string })[];
  readonly unit: string;
  readonly scales: Plot.PlotOptions;
  readonly mark: typeof Plot.barX | typeof Plot.rectX;
  readonly insets: Plot.InsetOptions & { readonly y?: string };
}

function drawBars(chart: Chart, { bars, ends, unit, scales, mark, insets, inWords }: Bars): Html {
  const x = { domain: [0, Math.max(...bars.map(({ to }) => to)) || 1] };
  const common = { fy: "engine", fill: color, fillOpacity: "opacity" } as const;
  const beside = { textAnchor: "start", dx: 5, fontSize: 11.5, fill: "var(--ink)" } as const;
  return draw(chart, {
    scales: { x, ...scales },
    axis: { label: unit, ticks: bars.length === 0 ? [] : 5, tickFormat: tick },
    marks: [
      mark(bars, { x1: "from", x2: "to", ...common, ...insets }),
      Plot.text(ends, { x: "at", y: insets.y, fy: "engine", text: "words", ...beside }),
    ],
    inWords,
  });
}

/** Start-up and first sample end to end, and the median of the hot ones below them. */
export function startUpChart(chart: Chart): Html {
  const verified = chart.outcomes.filter(isVerified);
  return drawBars(chart, {
    bars: verified.flatMap(timesOf),
    ends: verified.map(({ engine, startUp = 0, first = 0 }) => {
      return { engine, row: "cold", at: startUp + first, words: seconds(startUp + first) };
    }),
    unit: "seconds",
    scales: {
      marginRight: 52,
      y: { domain: ["cold", "hot"], axis: null, padding: 0.14 },
    },
    mark: Plot.barX,
    insets: { y: "row", insetRight: 0.6 },
    inWords({ startUp, first, basis, median }) {
      const parts = [
        startUp === undefined ? "" : `start-up ${seconds(startUp)}`,
        first === undefined ? "" : `first ${seconds(first)}`,
        basis === "hot" ? `hot ${seconds(median)}` : "",
      ];
      return parts.filter(Boolean).join(", ");
    },
  });
}

function timesOf({ engine, startUp = 0, first, basis, median }: Verified): Bar[] {
  const cold = { engine, row: "cold" } as const;
  const hot: Bar = { engine, row: "hot", from: 0, to: median, opacity: 1 };
  return [
    { ...cold, from: 0, to: startUp, opacity: 0.38 },
    ...(first === undefined
      ? []
      : [{ ...cold, from: startUp, to: startUp + first, opacity: 0.75 }]),
    ...(basis === "hot" ? [hot] : []),
  ];
}

/** Peak memory of each run as a bar, of which the solid part was held before it began. */
export function memoryChart(chart: Chart): Html {
  const gib = 2 ** 30;
  const known = chart.outcomes.filter(isVerified).flatMap(({ peakMemory, ...run }) => {
    return peakMemory === undefined ? [] : [{ ...run, peakMemory }];
  });
  return drawBars(chart, {
    bars: known.flatMap(({ engine, peakMemory, idleMemory = 0 }) => {
      const idle = Math.min(idleMemory, peakMemory) / gib;
      return [
        { engine, from: 0, to: idle, opacity: 1 },
        { engine, from: idle, to: peakMemory / gib, opacity: 0.5 },
      ];
    }),
    ends: known.map(({ engine, peakMemory }) => {
      return { engine, at: peakMemory / gib, words: bytes(peakMemory) };
    }),
    unit: "GiB",
    scales: { marginRight: 58 },
    mark: Plot.rectX,
    insets: { insetTop: 8, insetBottom: 8 },
    inWords({ peakMemory, idleMemory }) {
      if (peakMemory === undefined) return "unknown";
      const idle = idleMemory === undefined ? "" : `, ${bytes(idleMemory)} of it before the job`;
      return `at most ${bytes(peakMemory)}${idle}`;
    },
  });
}
