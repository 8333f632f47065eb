import * as Plot from "@observablehq/plot";
import { seconds, tick } from "../format";
import type { Html } from "../html";
import { isVerified, type Outcome, type Verified } from "../../results/outcome";
import { engineName } from "../words";
import { absences, absencesInWords, bands, color, draw, most, valueAxis } from "./drawing";

interface Bar {
  readonly engine: string;
  readonly row: "cold" | "hot";
  readonly from: number;
  readonly to: number;
  readonly part: "start-up" | "first" | "hot";
}

const opacity = { "start-up": 0.38, first: 0.75, hot: 1 } as const;

/** Start-up and first sample end to end, and the median of the hot ones below them. */
export function startUpChart(outcomes: readonly Outcome[], id: string, title: string): Html {
  const verified = outcomes.filter(isVerified);
  const bars = verified.flatMap(barsOf);
  const longest = most(verified, (run) => Math.max(...barsOf(run).map(({ to }) => to)));
  const ends = verified.map((run) => {
    const cold = barsOf(run).filter(({ row }) => row === "cold");
    return { engine: run.engine, row: "cold", at: Math.max(0, ...cold.map(({ to }) => to)) };
  });
  const { marks = [], ...layout } = bands(outcomes);
  return draw(
    {
      ...layout,
      marginRight: 52,
      x: { domain: [0, longest] },
      y: { domain: ["cold", "hot"], axis: null, padding: 0.14 },
      marks: [
        ...marks,
        ...valueAxis({ label: "seconds", ticks: verified.length === 0 ? [] : 5, tickFormat: tick }),
        Plot.barX(bars, {
          x1: "from",
          x2: "to",
          y: "row",
          fy: "engine",
          fill: color,
          fillOpacity: ({ part }: Bar) => opacity[part],
          insetRight: 0.6,
        }),
        Plot.text(ends, {
          x: "at",
          y: "row",
          fy: "engine",
          text: ({ at }: { at: number }) => seconds(at),
          textAnchor: "start",
          dx: 5,
          fontSize: 11.5,
          fill: "var(--ink)",
        }),
        ...absences(outcomes),
      ],
    },
    { id, title, description: inWords(outcomes) },
  );
}

function barsOf({ engine, startUp = 0, first, basis, median }: Verified): Bar[] {
  const begun: Bar = { engine, row: "cold", part: "start-up", from: 0, to: startUp };
  const done: Bar = {
    engine,
    row: "cold",
    part: "first",
    from: startUp,
    to: startUp + (first ?? 0),
  };
  const hot: Bar = { engine, row: "hot", part: "hot", from: 0, to: median };
  return [begun, ...(first === undefined ? [] : [done]), ...(basis === "hot" ? [hot] : [])];
}

function inWords(outcomes: readonly Outcome[]): string {
  const runs = outcomes.filter(isVerified).map(({ engine, startUp, first, basis, median }) => {
    const parts = [
      startUp === undefined ? "" : `start-up ${seconds(startUp)}`,
      first === undefined ? "" : `first ${seconds(first)}`,
      basis === "hot" ? `hot ${seconds(median)}` : "",
    ];
    return `${engineName(engine)}: ${parts.filter(Boolean).join(", ")}.`;
  });
  return runs.join(" ") + absencesInWords(outcomes);
}
