import * as path from "node:path";
import { checkout } from "../infra/host/folders";
import { bytes, moment } from "../report/format";
import type { Table } from "./render";

/** The page with the tables. */
export const documentFile = path.join(checkout, "docs", "performance.md");

/** What a benchmark found. */
export interface Section {
  readonly name: string;
  readonly tables: readonly Table[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
  readonly at: string;
}

interface Origin {
  readonly command: string;
  readonly commit: string | null;
  readonly dirty: boolean | null;
}

/**
 * Replaces a benchmark's tables in a page; what is written around them stays.
 *
 * @returns the page as it is where it has no place for them
 */
export function withSection(page: string, section: Section, origin: Origin): string {
  const [begin, end] = [`<!-- bench:${section.name} -->`, `<!-- /bench:${section.name} -->`];
  const [at, until] = [page.indexOf(begin), page.indexOf(end)];
  if (at < 0 || until < at) return page;
  const text = [begin, ...sectionLines(section, origin), ""].join("\n");
  return page.slice(0, at) + text + page.slice(until);
}

function sectionLines({ tables, notes, at }: Section, origin: Origin): string[] {
  const [first] = tables;
  const legends = [...new Set(tables.map(({ legend }) => legend))];
  return [
    ...tables.flatMap(({ title, rows }) => ["", `**${title}**`, "", ...markdown(rows)]),
    ...[...legends, ...notes].flatMap((text) => ["", text]),
    ...(first ? ["", provenance(first, at, origin)] : []),
    "",
  ];
}

function markdown([heads, ...rows]: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map((_, at) => (at === 0 ? "---" : "--:"))), ...rows.map(line)];
}

function provenance({ host, versions }: Table, at: string, origin: Origin): string {
  const names = Object.entries(versions).sort(([a], [b]) => a.localeCompare(b));
  const commit = origin.commit ? `commit ${origin.commit.slice(0, 10)}` : "no commit";
  return [
    `*${moment(at)}, \`${origin.command}\` at ${commit}${origin.dirty ? " with changes" : ""};`,
    `${host.cpu}, ${host.cores} cores, ${bytes(host.memoryBytes)}, ${host.system}`,
    ...names.map(([name, version]) => `, ${name} ${version}`),
    ".*",
  ]
    .join(" ")
    .replaceAll(" ,", ",")
    .replace(" .*", ".*");
}
