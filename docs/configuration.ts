/**
 * Brings the config section of Pulumi.yaml and the table of docs/configuration.md up to date with the
 * settings' entries:
 *
 *     npm run configuration
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { parseDocument, Scalar } from "yaml";
import { settingDefaults, settingEntries } from "../infra/settings/schema";

const checkout = path.join(__dirname, "..");
const project = path.join(checkout, "Pulumi.yaml");
const page = path.join(__dirname, "configuration.md");

/** Pulumi.yaml with `config` made from the entries; everything else as the file has it. */
export function pulumiYaml(file = fs.readFileSync(project, "utf8")): string {
  const document = parseDocument(file);
  const config = Object.entries(settingEntries).map(([key, entry]) => {
    const { type, default: value, description } = entry;
    const items = type === "array" ? { items: { type: "string" } } : {};
    const folded = new Scalar(description);
    if (description.length > 70) folded.type = Scalar.BLOCK_FOLDED;
    return [key, { type, ...items, default: value, description: folded }];
  });
  document.set("config", document.createNode(Object.fromEntries(config)));
  return document.toString({ lineWidth: 100 });
}

const tableRow = /^\| `(\w+)` \|.*\| ([^|]*) \|$/gm;

/** Of each setting on the page, which runs a changed value redoes: the last column is hand-written. */
export function redoneCells(text = fs.readFileSync(page, "utf8")): Map<string, string> {
  return new Map([...text.matchAll(tableRow)].map(([, key, cell]) => [key, cell]));
}

/** The page with its table made from the entries; everything else as the file has it. */
export function configurationPage(text = fs.readFileSync(page, "utf8")): string {
  const redone = redoneCells(text);
  const cell = (value: string) => value.replaceAll("|", "\\|");
  const rows = Object.entries(settingEntries).map(([key, { secret, type, description }]) => {
    const usual = settingDefaults[key] === "" ? "empty" : `\`${cell(settingDefaults[key])}\``;
    const kind = secret ? "secret" : type;
    return `| \`${key}\` | ${kind} | ${usual} | ${cell(description)} | ${redone.get(key) ?? ""} |\n`;
  });
  return text.replace(/^(\| key .*\n\|-.*\n)(?:\| `.*\n)*/m, (_, head: string) => {
    return head + rows.join("");
  });
}

if (require.main === module) {
  fs.writeFileSync(project, pulumiYaml());
  fs.writeFileSync(page, configurationPage());
}
