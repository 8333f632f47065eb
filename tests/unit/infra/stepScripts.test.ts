import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { checkout } from "../../../infra/host/folders";

/** The kinds of steps.mjs, and which of them have no usable code, as a process of its own says. */
function table(): { kinds: string[]; broken: string[] } {
  const script = `
    import("./steps.mjs").then(({ kinds }) => {
      const broken = Object.entries(kinds)
        .filter(([, load]) => typeof load().create !== "function")
        .map(([kind]) => kind);
      console.log(JSON.stringify({ kinds: Object.keys(kinds), broken }));
    });`;
  const done = spawnSync(process.execPath, ["--require", "tsx/cjs", "-e", script], {
    cwd: checkout,
    encoding: "utf8",
  });
  expect(done.stderr).toBe("");
  return JSON.parse(done.stdout) as ReturnType<typeof table>;
}

/** The kinds that components declare, by the text of the program's files. */
function declared(): string[] {
  const files = ["infra", "pipelines"].flatMap((folder) =>
    fs
      .readdirSync(path.join(checkout, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => fs.readFileSync(path.join(checkout, folder, name), "utf8")),
  );
  return files.flatMap((text) => [...text.matchAll(/\bkind: "([\w-]+)"/g)].map(([, kind]) => kind));
}

describe("the table of steps", () => {
  it("has code for each kind, and each kind that is declared", () => {
    const { kinds, broken } = table();
    expect(broken).toEqual([]);
    expect(kinds.length).toBeGreaterThan(20);
    for (const kind of declared()) expect(kinds).toContain(kind);
  });

  it("says which kind it does not have", () => {
    const done = spawnSync(
      process.execPath,
      ["--require", "tsx/cjs", "steps.mjs", "nothing", "create"],
      { cwd: checkout, encoding: "utf8" },
    );
    expect(done.status).toBe(1);
    expect(done.stderr).toContain("no such kind of step");
  });

  it("loads what a target keeps for later, as TypeScript is read in a step", () => {
    const script = `
      const { targets } = require("./infra/targets");
      const loaded = (error) => error?.name ?? "loaded"; // a UserError is from where Docker is missing
      Promise.all(targets.map(({ executor }) => executor("some").then(() => "loaded", loaded)))
        .then((all) => console.log(all.join()));`;
    const done = spawnSync(process.execPath, ["--require", "tsx/cjs", "-e", script], {
      cwd: checkout,
      encoding: "utf8",
    });
    expect(done.stderr).toBe("");
    expect(done.stdout).toMatch(/^loaded,(loaded|UserError),loaded\n$/);
  });
});
