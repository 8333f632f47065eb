/**
 * Lines of text in columns.
 *
 * @param rows the first one has the columns' names
 * @param right the names of columns that are set to the right
 */
export function textTable(
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string[] {
  const [head = []] = rows;
  const widths = head.map((_name, at) => Math.max(...rows.map((row) => row[at].length)));
  return rows.map((row) =>
    row
      .map((cell, at) => {
        return right.includes(head[at]) ? cell.padStart(widths[at]) : cell.padEnd(widths[at]);
      })
      .join("  ")
      .trimEnd(),
  );
}
