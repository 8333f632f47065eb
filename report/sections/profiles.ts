import { isVerified, type Outcome, type Profile, type Verified } from "../../results/outcome";
import { bytes, count, known, percent, seconds } from "../format";
import { html, type Html, type Piece } from "../html";
import { numeric, runTable, table, words } from "../table";
import { engineName } from "../words";

/** What a stage may be for; start-up is in no sample. */
const kinds = ["read", "decode", "compute", "shuffle", "write", "coordination"] as const;

const columns = [
  ...words("Bottleneck", "One-shot's bottleneck"),
  ...numeric("Profiled sample", ...kinds, "Spilled"),
];

/** Where the time of each run went, and its bottleneck; nothing where no run was profiled. */
export function profiles(outcomes: readonly Outcome[]): Html {
  const verified = outcomes.filter(isVerified);
  if (!verified.some(({ profile }) => profile)) return html``;
  return html`<h3>Where the time goes</h3>
    <p>
      One more sample, which is in no other figure, as each engine itself profiles it. A share is
      the part of the sample's wall time in which the run's cores were busy with it; coordination is
      what is left. Reading includes decoding where an engine's reader does both in one.
    </p>
    ${runTable("Bottleneck, and shares of the profiled sample", outcomes, columns, shares)}
    <div class="more">${verified.map(stages)}</div>`;
}

function shares({ profile }: Verified): readonly Piece[] {
  if (!profile || "failed" in profile) {
    const why = profile ? html`<span class="failed">✕ ${profile.failed}</span>` : "not asked for";
    return columns.map((_, at) => (at === 0 ? why : "–"));
  }
  const { stages, bottleneck, oneShotBottleneck } = profile;
  return [
    html`<strong>${bottleneck}</strong>`,
    oneShotBottleneck,
    seconds(profile.seconds),
    ...kinds.map((kind) => {
      const of = stages.filter((stage) => stage.kind === kind);
      return of.length > 0 ? percent(sum(of, "seconds") / profile.seconds) : "–";
    }),
    stages.some(({ spilledBytes }) => spilledBytes !== undefined)
      ? bytes(sum(stages, "spilledBytes"))
      : "–",
  ];
}

function sum(stages: Profile["stages"], name: "seconds" | "spilledBytes"): number {
  return stages.reduce((total, stage) => total + (stage[name] ?? 0), 0);
}

/** The stages of one run in the engine's words, and what its nodes used: folded away. */
function stages({ engine, profile }: Verified): Html {
  if (!profile || "failed" in profile) return html``;
  return html`<details>
    <summary>${engineName(engine)}: stages of the profiled sample</summary>
    ${table({
      caption: `By ${profile.means}`,
      columns: [...words("Stage", "Kind"), ...numeric("Seconds", "Rows", "Bytes", "Spilled")],
      rows: profile.stages.map((stage) => ({
        name: stage.name,
        cells: [
          stage.kind,
          seconds(stage.seconds),
          known(stage.rows, count, "–"),
          known(stage.bytes, bytes, "–"),
          known(stage.spilledBytes, bytes, "–"),
        ],
      })),
    })}
    ${
      profile.nodes.length > 0 &&
      table({
        caption: "What the cluster's nodes used, by a measure of the engine's own",
        columns: [...words("Node"), ...numeric("Memory, peak", "CPU"), ...words("Measure")],
        rows: profile.nodes.map((node) => ({
          name: node.name,
          cells: [
            known(node.peakMemoryBytes, bytes, "–"),
            known(node.cpuSeconds, seconds, "–"),
            node.measure,
          ],
        })),
      })
    }
  </details> `;
}
