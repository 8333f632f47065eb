import * as Plot from "@observablehq/plot";
import { isVerified, type Verified } from "../../results/outcome";
import { seconds, tick } from "../format";
import type { Html } from "../html";
import { beside, color, draw, max, type Chart } from "./drawing";

interface Bar {
  readonly engine: string;
  readonly row: "cold" | "hot";
  readonly from: number;
  readonly to: number;
  readonly opacity: number;
}

/** Start-up and first sample end to end, and the median of the hot ones below them. */
export function startUpChart(chart: Chart): Html {
  const verified = chart.outcomes.filter(isVerified);
  const ends = verified.map((run) => {
    const cold = barsOf(run).filter(({ row }) => row === "cold");
    return { engine: run.engine, row: "cold", at: Math.max(0, ...cold.map(({ to }) => to)) };
  });
  return draw(chart, {
    scales: {
      marginRight: 52,
      x: { domain: [0, max(verified, (run) => Math.max(...barsOf(run).map(({ to }) => to)))] },
      y: { domain: ["cold", "hot"], axis: null, padding: 0.14 },
    },
    axis: { label: "seconds", ticks: verified.length === 0 ? [] : 5, tickFormat: tick },
    marks: [
      Plot.barX(verified.flatMap(barsOf), {
        x1: "from",
        x2: "to",
        y: "row",
        fy: "engine",
        fill: color,
        fillOpacity: "opacity",
        insetRight: 0.6,
      }),
      Plot.text(ends, {
        x: "at",
        y: "row",
        fy: "engine",
        text: ({ at }: { at: number }) => seconds(at),
        ...beside,
      }),
    ],
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

function barsOf({ engine, startUp = 0, first, basis, median }: Verified): Bar[] {
  const bar = (row: Bar["row"], opacity: number, from: number, to: number) => ({
    ...{ engine, row, opacity, from, to },
  });
  return [
    bar("cold", 0.38, 0, startUp),
    ...(first === undefined ? [] : [bar("cold", 0.75, startUp, startUp + first)]),
    ...(basis === "hot" ? [bar("hot", 1, 0, median)] : []),
  ];
}
