import {
  isVerified,
  type Failed,
  type NotRun,
  type Outcome,
  type Verified,
} from "../results/outcome";
import type { Against } from "../results/comparison";
import { shortened, times } from "./format";
import { html, type Html, type Piece } from "./html";
import { engineName } from "./words";

interface Table {
  /** Says what the table has; above it, and to a screen reader before it. */
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

interface Column {
  readonly name: Piece;
  /** Numbers are aligned to the right, so that their digits are below each other. */
  readonly numeric?: boolean;
}

/** A row's name and its cells, or one piece across all columns where there is nothing to show. */
export type Row =
  | { readonly name: Piece; readonly cells: readonly Piece[] }
  | { readonly name: Piece; readonly across: Piece };

export const numeric = (...names: readonly Piece[]): Column[] =>
  names.map((name) => ({ name, numeric: true }));

export const words = (...names: readonly Piece[]): Column[] => names.map((name) => ({ name }));

/**
 * A table that scrolls in its own frame where it is wider than the page. What is seen of the caption
 * is outside of that frame, so that it is not cut off.
 */
export function table({ caption, columns, rows }: Table): Html {
  const [, ...others] = columns;
  const kind = (column?: Column) => (column?.numeric ? "numeric" : "words");
  return html`<p class="caption" aria-hidden="true">${caption}</p>
    <div class="scroll" role="group" aria-label="${caption}" tabindex="0">
      <table>
        <caption class="hidden">
          ${caption}
        </caption>
        <thead>
          <tr>
            ${columns.map(
              (column) => html`<th scope="col" class="${kind(column)}">${column.name}</th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr>
                <th scope="row">${row.name}</th>
                ${
                  "across" in row
                    ? html`<td colspan="${Math.max(1, others.length)}">${row.across}</td>`
                    : row.cells.map(
                        (cell, at) => html`<td class="${kind(others[at])}">${cell}</td>`,
                      )
                }
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

/** Letters of a reason in a table; all of it is at the top of the page. */
const longest = 300;

/** In the place of a figure: the outcome, and why. */
export function absent({ status, ...outcome }: Failed | NotRun): Html {
  const reason = "reason" in outcome && shortened(outcome.reason, longest);
  const kind = status === "not supported" ? "quiet" : "failed";
  return html`${lack(status)}${reason && html` <span class="${kind}">${reason}</span>`}`;
}

/** The outcome of a run that has no figure. */
export function lack(status: Exclude<Outcome["status"], "verified">): Html {
  if (status === "not run") return html`<span class="failed">– no outcome</span>`;
  return status === "not supported"
    ? html`<span class="quiet">– not supported</span>`
    : html`<strong class="failed">✕ ${status}</strong>`;
}

/** A table with a row a run, in which a run without a result says so across all columns. */
export function runTable(
  caption: string,
  outcomes: readonly Outcome[],
  columns: readonly Column[],
  cells: (run: Verified) => readonly Piece[],
): Html {
  const rows = outcomes.map((outcome) => {
    const name = engineName(outcome.engine);
    return isVerified(outcome)
      ? { name, cells: cells(outcome) }
      : { name, across: absent(outcome) };
  });
  return table({ caption, columns: [...words("Engine"), ...columns], rows });
}

export function ratioText(found: Against | undefined): Piece {
  if (!found) return "unknown";
  return found.ratio ? times(found.ratio.value) : "not comparable";
}
