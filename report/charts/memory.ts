import * as Plot from "@observablehq/plot";
import { bytes, tick } from "../format";
import type { Html } from "../html";
import { isVerified, type Outcome, type Verified } from "../../results/outcome";
import { engineName } from "../words";
import { absences, absencesInWords, bands, color, draw, valueAxis } from "./drawing";

const gib = 2 ** 30;

/** Most memory of each run as a bar, of which the solid part was held before it began. */
export function memoryChart(outcomes: readonly Outcome[], id: string, title: string): Html {
  const known = outcomes.filter(isVerified).filter(hasPeak);
  const parts = known.flatMap(({ engine, peakMemory, idleMemory = 0 }) => {
    const idle = Math.min(idleMemory, peakMemory) / gib;
    return [
      { engine, from: 0, to: idle, opacity: 1 },
      { engine, from: idle, to: peakMemory / gib, opacity: 0.5 },
    ];
  });
  const { marks = [], ...layout } = bands(outcomes);
  return draw(
    {
      ...layout,
      marginRight: 58,
      x: { domain: [0, Math.max(...known.map(({ peakMemory }) => peakMemory / gib)) || 1] },
      marks: [
        ...marks,
        ...valueAxis({ label: "GiB", ticks: known.length === 0 ? [] : 5, tickFormat: tick }),
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

function hasPeak(run: Verified): run is Verified & { readonly peakMemory: number } {
  return run.peakMemory !== undefined;
}

function inWords(outcomes: readonly Outcome[]): string {
  const runs = outcomes.filter(isVerified).map(({ engine, peakMemory, idleMemory }) => {
    if (peakMemory === undefined) return `${engineName(engine)}: unknown.`;
    const idle = idleMemory === undefined ? "" : `, ${bytes(idleMemory)} of it before the job`;
    return `${engineName(engine)}: at most ${bytes(peakMemory)}${idle}.`;
  });
  return runs.join(" ") + absencesInWords(outcomes);
}
