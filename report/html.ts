/** Text that is HTML already, and safe: made by {@link html}, or stated to be by {@link trusted}. */
export class Html {
  constructor(readonly text: string) {}
}

/** What a template may hold: text is escaped, HTML is not, nothing is left out. */
export type Piece = Html | string | number | undefined | false | readonly Piece[];

/**
 * A template whose values are escaped unless they are HTML themselves. Quotes are escaped too, so
 * that a value is safe in an attribute as well, as long as the attribute has quotes.
 */
export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return new Html(strings.reduce((before, string, at) => before + text(pieces[at - 1]) + string));
}

/** States that `text` is HTML. Only for text that holds nothing from outside of the program. */
export function trusted(text: string): Html {
  return new Html(text);
}

function text(piece: Piece): string {
  if (piece instanceof Html) return piece.text;
  if (piece === undefined || piece === false) return "";
  if (typeof piece === "object") return piece.map(text).join("");
  return plain(String(piece)).replace(/[&<>"']/g, (character) => entities[character]);
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Text without what no page should carry: terminal colours (reasons come from logs), control
 * characters, and the marks that turn the direction of the text around them.
 */
export function plain(value: string): string {
  return value
    .replace(terminalSequences, "")
    .replace(/\p{Cs}/gu, "\ufffd")
    .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069\ufffe\uffff]/gu, (mark) =>
      /\s/.test(mark) ? " " : "",
    );
}

const terminalSequences = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;
