import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";
import { configurationPage, pulumiYaml } from "../../docs/configuration";
import { settingKeys } from "../../infra/settings/schema";
import { minioVersion } from "../../infra/toolchain/locks";
import { catalogSchemas, type Engine, engines } from "../../results/catalog";
import { exampleContract } from "../defaults";

const checkout = path.join(__dirname, "..", "..");

it("Pulumi.yaml and docs/configuration.md are what `npm run configuration` writes", () => {
  const read = (file: string) => fs.readFileSync(path.join(checkout, file), "utf8");
  expect(read("Pulumi.yaml")).toBe(pulumiYaml());
  expect(read("docs/configuration.md")).toBe(configurationPage());
});

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "embedded/README.md",
  ...fs
    .readdirSync(path.join(checkout, "docs"), { encoding: "utf8", recursive: true })
    .map((file) => `docs/${file}`),
].filter((name) => name.endsWith(".md"));

/** The anchors that GitHub gives to the headings of a page. */
function anchors(file: string): string[] {
  const headings = fs.readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

it.each(pages)("every relative link in %s leads to a file and a heading", (page) => {
  const text = fs.readFileSync(path.join(checkout, page), "utf8");
  for (const [, link, anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)#?([^)]*)\)/g)) {
    const target = link ? path.join(checkout, path.dirname(page), link) : path.join(checkout, page);
    expect(fs.existsSync(target), `${page} links to ${link}`).toBe(true);
    if (anchor) expect(anchors(target), `${page} links to ${link}#${anchor}`).toContain(anchor);
  }
});

it.each(pages)("every `npm run` in %s is a script of package.json", (page) => {
  const text = fs.readFileSync(path.join(checkout, page), "utf8");
  const { scripts } = JSON.parse(fs.readFileSync(path.join(checkout, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  for (const [, script] of text.matchAll(/npm run (?:-s )?([a-z:]+)/g)) {
    expect(Object.keys(scripts), page).toContain(script);
  }
});

it.each(pages)("every setting and every tunable that %s sets exists", (page) => {
  const text = fs.readFileSync(path.join(checkout, page), "utf8");
  for (const [, key] of text.matchAll(/--config (\w+)=/g)) expect(settingKeys, page).toContain(key);
  const shown = path.join(checkout, "tests", "python", "polars_threads.json");
  const toy = JSON.parse(fs.readFileSync(shown, "utf8")) as Pick<Engine, "tunables">;
  const all = [...engines(), { name: "polars-threads", ...toy }];
  const tunables = all.flatMap((one) => one.tunables.map(({ name }) => `${one.name} ${name}`));
  for (const [, contender, name] of text.matchAll(/\{"([\w-]+)": \{"([\w.]+)":/g)) {
    expect(tunables, page).toContain(`${contender} ${name}`);
  }
});

it("docs/adding-an-engine.md lists all keys, and shows the contender and the workload of the tests", () => {
  const page = fs.readFileSync(path.join(checkout, "docs", "adding-an-engine.md"), "utf8");
  for (const file of ["polars_threads.json", "polars_threads.py", "toy_zones.json"]) {
    expect(page).toContain(fs.readFileSync(path.join(checkout, "tests", "python", file), "utf8"));
  }
  const keys = [catalogSchemas.engine, catalogSchemas.workload].flatMap((each) =>
    Object.keys(each.shape),
  );
  for (const key of keys) expect(page).toMatch(new RegExp(`^\\|.*\`${key}\\b`, "m"));
});

it("docs/adding-an-engine.md locks by the command in the lock's head", () => {
  const page = fs.readFileSync(path.join(checkout, "docs", "adding-an-engine.md"), "utf8");
  const lock = fs.readFileSync(path.join(checkout, "pipelines", "requirements.lock"), "utf8");
  expect(page).toContain(/^#\s+(uv pip compile .*)$/m.exec(lock)![1]);
});

it("docs/versions.md has the versions that are pinned", () => {
  const read = (file: string) => fs.readFileSync(path.join(checkout, file), "utf8");
  const { dependencies, devDependencies } = JSON.parse(read("package.json")) as Record<
    "dependencies" | "devDependencies",
    Record<string, string>
  >;
  const locks = ["requirements", "requirements-uv", "requirements-go"].map((name) =>
    read(`pipelines/${name}.lock`),
  );
  const locked = [...locks.join("\n").matchAll(/^([\w-]+)==(\S+)/gm)].map(([, ...row]) => row);
  const pinned: Record<string, string | undefined> = {
    ...dependencies,
    ...devDependencies,
    ...(Object.fromEntries(locked) as Record<string, string>),
    MinIO: minioVersion.split("-")[1].replace(/^0\./, ""),
  };
  const rows = [...read("docs/versions.md").matchAll(/^\| `?([\w@/-]+)`? \| ([\d.]+) \|/gm)];
  expect(rows.length).toBeGreaterThan(20);
  for (const [, name, version] of rows) expect(version, name).toBe(pinned[name]);
});

it("CONTRIBUTING.md has the rooms that eslint holds apart, in the same order", () => {
  const read = (file: string) => fs.readFileSync(path.join(checkout, file), "utf8");
  const [, list] = /^const rooms = \[\n(.*?)^\];$/ms.exec(read("eslint.config.mjs"))!;
  const rooms = [...list.matchAll(/"(.+)"/g)].map(([, room]) => room);
  const rows = [...read("CONTRIBUTING.md").matchAll(/^\| `([\w./]+)` \|/gm)].map(
    ([, room]) => room,
  );
  expect(rows.filter((room) => rooms.includes(room))).toEqual(rooms);
});

it.each([
  ["promises.md", "promise"],
  ["cases.md", "case \\| what happens"],
])(
  "every row of %s is shown by tests that there are, or says how it was seen by hand",
  (name, head) => {
    const page = fs.readFileSync(path.join(checkout, "docs", name), "utf8");
    const table = new RegExp(`^\\| ${head} \\| shown by \\|\\n\\|[-|]+\\n((?:\\|.*\\n)+)`, "gm");
    const tables = page.matchAll(table);
    const rows = [...tables].flatMap(([, body]) => body.trim().split("\n"));
    expect(rows.length).toBeGreaterThan(20);
    for (const row of rows) {
      const cells = row.slice(2, -2).split(" | ");
      const [promise, shown] = [cells[0], cells[cells.length - 1]];
      if (shown.startsWith("by hand: ")) continue;
      for (const proof of shown.split("<br>")) {
        const [, file, name] = /^`(tests\/\S+)` "(.+)"$/.exec(proof) ?? [];
        expect(file, `${promise}: ${proof}`).toBeDefined();
        const text = fs.readFileSync(path.join(checkout, file), "utf8");
        const named = text.includes(`"${name}"`) || text.includes(`def ${name}(`);
        expect(named, `${promise}: ${proof}`).toBe(true);
      }
    }
  },
);

it("docs/models.md has the fields of a model's contract and its example", () => {
  const text = fs.readFileSync(path.join(checkout, "docs/models.md"), "utf8");
  const [, example] = /```json\n(.*?)```/s.exec(text) ?? [];
  expect(JSON.parse(example)).toEqual(exampleContract());
  const fields = [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  expect(fields).toEqual(Object.keys(exampleContract()));
});
