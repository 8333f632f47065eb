import { bytes, count, number, percent } from "../format";
import { html, type Html, type Piece } from "../html";
import { isVerified, type Outcome, type Verified } from "../outcome";
import { numeric, table, words } from "../table";
import { engineName, workloadWords } from "../words";
import { absent } from "./absent";

/** Whether the outputs are right, how far they are from the oracle's, and what was left out. */
export function verification(workload: string, outcomes: readonly Outcome[]): Html {
  const { unit, judged } = workloadWords(workload);
  const verified = outcomes.filter(isVerified);
  const shared = verified.length > 0 && verified.every(({ inputs }) => inputs?.decode === "shared");
  return html`<h3>Verification</h3>
    <p>${judged(shared)} ${checksums(verified)}</p>
    ${table({
      caption: "The last sample's output against the oracle's",
      columns: [
        words("Engine"),
        words("Verdict"),
        numeric(`${unit} in`),
        numeric("Rows out"),
        numeric("Bytes out"),
        words("Rejected"),
        words("Agreement"),
        words("Deviations"),
        words("Checksum"),
      ],
      rows: outcomes.map((outcome) => ({
        name: engineName(outcome.engine),
        ...(isVerified(outcome) ? { cells: cells(outcome) } : { across: absent(outcome) }),
      })),
    })}`;
}

function cells(run: Verified): Piece[] {
  return [
    html`<span class="verified">✓ verified</span>`,
    run.rowsIn === undefined ? "unknown" : count(run.rowsIn),
    count(run.rows),
    run.bytesOut === undefined ? "unknown" : bytes(run.bytesOut),
    rejects(run),
    listed(run.agreement, agreementText),
    listed(run.deviations, deviationText),
    html`<code title="${run.checksum}">${run.checksum.slice(0, 12)}</code>`,
  ];
}

function rejects({ rejected, rejects }: Verified): Piece {
  if (rejected === 0 && rejects.length === 0) return "none";
  const reasons = rejects.map(({ reason, count: n }) => `${count(n)} ${reason}`).join(", ");
  return reasons || count(rejected);
}

function listed(
  values: Readonly<Record<string, unknown>>,
  text: (value: unknown, name: string) => string,
): Piece {
  const entries = Object.entries(values);
  if (entries.length === 0) return "–";
  // Noughts are what is hoped for; they are told once, not one by one.
  const telling = entries.filter(([, value]) => value !== 0);
  const noughts = entries.length - telling.length;
  const told = telling.map(([name, value]) => `${name} ${text(value, name)}`);
  if (noughts > 0) told.push(told.length === 0 ? `all ${noughts} are 0` : `${noughts} more are 0`);
  return told.map((part, at) => html`${at > 0 && ", "}<span class="unbroken">${part}</span>`);
}

function agreementText(value: unknown, name: string): string {
  if (typeof value !== "number") return "not finite";
  return /cosine/i.test(name) ? value.toFixed(5) : percent(value);
}

function deviationText(value: unknown): string {
  return typeof value === "number" ? number(value) : "not finite";
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
  const told = [...groups.values()].map((names) => names.join(", ")).join(" | ");
  return `Checksums of the exact columns differ between: ${told}.`;
}
