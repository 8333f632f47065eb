import { bytes, count, known, number, percent } from "../format";
import { html, type Html, type Piece } from "../html";
import { isVerified, type Outcome, type Verified } from "../../results/outcome";
import { numeric, runTable, words } from "../table";
import { engineName, workloadWords } from "../words";

/** Whether the outputs are right, how far they are from the oracle's, and what was left out. */
export function verification(workload: string, outcomes: readonly Outcome[]): Html {
  const { unit, judged } = workloadWords(workload);
  const verified = outcomes.filter(isVerified);
  const columns = [
    ...words("Verdict"),
    ...numeric(`${unit} in`, "Rows out", "Bytes out"),
    ...words("Rejected", "Agreement", "Deviations, largest", "Checksum"),
  ];
  return html`<h3>Verification</h3>
    <p>${judged} ${checksums(verified)}</p>
    ${runTable("The last sample's output against the oracle's", outcomes, columns, cells)}`;
}

function cells(run: Verified): Piece[] {
  return [
    verdict(run),
    known(run.rowsIn, count),
    count(run.rows),
    known(run.bytesOut, bytes),
    rejects(run),
    agreement(run),
    deviations(run),
    html`<code title="${run.checksum}">${run.checksum.slice(0, 12)}</code>`,
  ];
}

function verdict({ sampled }: Verified): Html {
  const of = sampled === undefined ? "" : ` by a sample of ${count(sampled)}`;
  return html`<span class="verified">✓ verified</span>${of}`;
}

function rejects({ rejected, rejects }: Verified): Piece {
  if (rejected === 0 && rejects.length === 0) return "none";
  const reasons = rejects.map(({ reason, count: n }) => `${count(n)} ${reason}`).join(", ");
  return reasons || count(rejected);
}

function agreement({ agreement }: Verified): Piece {
  const written = (name: string) => (value: number) =>
    /cosine/i.test(name) ? value.toFixed(5) : percent(value);
  const shown = Object.entries(agreement).map(([name, value]) => part(name, value, written(name)));
  return shown.length === 0 ? "–" : parts(shown);
}

/** What is off: each count, and the largest of the other measures; the rest is in the details. */
function deviations({ deviations }: Verified): Piece {
  const off = Object.entries(deviations).filter(([, value]) => value !== 0);
  const counts = off.filter(([, value]) => Number.isInteger(value));
  const measures = off
    .filter(([, value]) => !Number.isInteger(value))
    .sort(([, a], [, b]) => size(b) - size(a));
  const written = (value: number) => (Number.isInteger(value) ? count : number)(value);
  const shown = [...counts, ...measures.slice(0, 1)].map(([name, value]) =>
    part(name, value, written),
  );
  return shown.length === 0 ? "none" : parts(shown);
}

function part(name: string, value: unknown, written: (value: number) => string): string {
  return `${name} ${typeof value === "number" ? written(value) : "not finite"}`;
}

function size(value: unknown): number {
  return typeof value === "number" ? Math.abs(value) : Infinity;
}

function parts(shown: readonly string[]): Html[] {
  return shown.map((part, at) => html`${at > 0 && ", "}<span class="unbroken">${part}</span>`);
}

/** Whether the engines' exact columns are the same as each other's. */
function checksums(verified: readonly Verified[]): string {
  if (verified.length < 2) return "";
  const groups = new Map<string, string[]>();
  for (const { checksum, engine } of verified) {
    groups.set(checksum, [...(groups.get(checksum) ?? []), engineName(engine)]);
  }
  if (groups.size === 1) {
    return `The exact columns have the same checksum in all ${verified.length} runs.`;
  }
  const shown = [...groups.values()].map((names) => names.join(", ")).join(" | ");
  return `Checksums of the exact columns differ between: ${shown}.`;
}
