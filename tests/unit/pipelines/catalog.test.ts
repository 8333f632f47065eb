import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../../infra/contracts/errors";
import { readSettings } from "../../../infra/targets/readSettings";
import {
  clusterOf,
  datasets,
  engineOf,
  engines,
  packageFolder,
  readCatalog,
  referenceOf,
  workloads,
} from "../../../results/catalog";
import { defaultConfig, largeMachine } from "../../defaults";
import { runKeys } from "./runKeys";

const checkout = path.join(__dirname, "..", "..", "..");
const names = workloads().map(({ name }) => name);

let scratch: string;
beforeAll(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), "catalog-"));
});
afterAll(() => fs.rmSync(scratch, { recursive: true }));

type Kind = "engines" | "workloads" | "datasets";
type Description = Record<string, unknown>;

/** A copy of all descriptions. */
function copied(): string {
  const folder = fs.mkdtempSync(path.join(scratch, "package-"));
  for (const kind of ["engines", "workloads", "datasets"]) {
    fs.cpSync(path.join(packageFolder, kind), path.join(folder, kind), { recursive: true });
  }
  return folder;
}

/** Adds a test's engine or workload to a package. */
function add(folder: string, kind: Kind, name: string): void {
  for (const file of [`${name}.py`, `${name}.json`]) {
    fs.copyFileSync(path.join(checkout, "tests", "python", file), path.join(folder, kind, file));
  }
}

/** What is said about a copy in which one description was changed. */
function refusal(kind: Kind, name: string, change: (one: Description) => void): UserError {
  const folder = copied();
  const file = path.join(folder, kind, `${name}.json`);
  const description = JSON.parse(fs.readFileSync(file, "utf8")) as Description;
  change(description);
  fs.writeFileSync(file, JSON.stringify(description));
  return refused(folder);
}

function refused(folder: string): UserError {
  try {
    readCatalog(folder);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  }
  throw new Error("the description was taken");
}

describe("the catalog", () => {
  it("has what is described, in its order", () => {
    const families = [...new Set(engines().map(({ engine }) => engine))];
    expect(families.slice(0, 3)).toEqual(["spark", "ray", "daft"]);
    for (const name of ["spark", "ray", "daft"]) {
      expect(engineOf(name)).toMatchObject({ engine: name, use: "documented", workloads: names });
    }
    expect(names.map((name) => referenceOf(name)?.name)).toEqual(["polars", "plain", "plain"]);
    expect(names).toEqual(["taxi-report", "image-predictions", "image-embeddings"]);
    expect(datasets().map(({ name }) => name)).toEqual(["photos", "taxi"]);
  });

  it("says what an engine computes on, or the setting that does", () => {
    const on = (engine: string, changed: Record<string, string> = {}) =>
      clusterOf(engineOf(engine), readSettings(defaultConfig(changed), largeMachine));
    const all = ["spark", "ray", "daft", "polars"].map((engine) => on(engine));
    expect(all).toEqual(["spark", "ray", "none", "none"]);
    expect(on("daft", { target: "docker" })).toBe("ray");
    expect(on("daft", { target: "docker", daftRunner: "native" })).toBe("none");
    expect(engineOf("daft").settings).toEqual(["daftRunner"]);
  });

  it("has a new engine and a new workload behind the others", () => {
    const folder = copied();
    add(folder, "workloads", "toy_zones");
    add(folder, "engines", "toy");
    const catalog = readCatalog(folder);
    expect(catalog.engines.at(-1)).toMatchObject({ name: "toy", cluster: "none", settings: [] });
    expect(catalog.workloads.at(-1)).toMatchObject({ name: "toy-zones", dataset: "taxi" });
  });

  it.each<[Kind, string, string, (one: Description) => void]>([
    ["engines", "spark", 'a wrong "label"', (one) => delete one.label],
    ["engines", "spark", 'a wrong "label"', (one) => (one.label = "")],
    ["engines", "spark", 'a wrong "cluster"', (one) => (one.cluster = "flink")],
    ["engines", "spark", 'a wrong "cluster"', (one) => (one.cluster = "fareAbove")],
    ["engines", "spark", 'a wrong "settings"', (one) => (one.settings = "batchSize")],
    ["engines", "spark", 'a wrong "settings.0"', (one) => (one.settings = ["batchsize"])],
    ["engines", "spark", 'a wrong "settings.0"', (one) => (one.settings = ["minioRootPassword"])],
    ["engines", "spark", '"taxi" as "workloads"', (one) => (one.workloads = ["taxi"])],
    ["engines", "spark", '"other" as "seed"', (one) => (one.seed = "other")],
    ["engines", "spark", 'a wrong "use"', (one) => (one.use = "best")],
    ["engines", "spark", '"hadoop" as "engine"', (one) => (one.engine = "hadoop")],
    ["engines", "spark", 'no "decoder"', (one) => delete one.decoder],
    ["engines", "polars", '"own" as "decoder" and no image', (one) => (one.decoder = "own")],
    ["engines", "polars", '"x" as "reference"', (one) => (one.reference = ["x"])],
    ["engines", "polars", '"x" as "guides"', (one) => (one.guides = { x: "https://a.test" })],
    ["engines", "polars", '"x" as "noRows"', (one) => (one.noRows = { x: "it fails" })],
    ["engines", "spark", 'no "guides.taxi-report" and "documented"', (one) => delete one.guides],
    [
      "engines",
      "polars",
      'a wrong "guides.taxi-report"',
      (one) => {
        one.guides = { "taxi-report": "see the guide" };
      },
    ],
    [
      "engines",
      "polars",
      '"taxi-report" as "unsupported"',
      (one) => {
        one.unsupported = { "taxi-report": "it has a method for it" };
      },
    ],
    [
      "engines",
      "spark",
      'a wrong "tunables.0.why"',
      (one) => {
        one.tunables = [{ name: "a", value: 1, default: null, source: "finding" }];
      },
    ],
    ["engines", "spark", 'a wrong "colour"', (one) => (one.colour = "red")],
    ["workloads", "taxi_report", 'a wrong "purpose"', (one) => delete one.purpose],
    ["workloads", "taxi_report", '"trips" as "dataset"', (one) => (one.dataset = "trips")],
    ["workloads", "taxi_report", 'a wrong "unit.many"', (one) => (one.unit = { one: "trip" })],
    [
      "datasets",
      "taxi",
      'a wrong "settings.sample.rows"',
      ({ settings }) => {
        (settings as Record<string, Description>).sample.rows = { setting: "rows" };
      },
    ],
  ])("refuses %s/%s.json with %s", (kind, name, told, change) => {
    const { what, why, fix } = refusal(kind, name, change);
    expect(what).toContain(`${kind}/${name}.json has ${told}`);
    expect(why).toBeTruthy();
    expect(fix).toContain("docs/adding-an-engine.md");
  });

  it.each([
    ["Toy.json", "{}", "a name that is not of lower-case letters and digits"],
    ["toy.json", "{", "no JSON"],
    ["toy.json", fs.readFileSync(path.join(packageFolder, "engines/ray.json")), "no toy.py beside"],
  ])("refuses engines/%s for %3$s", (name, text, told) => {
    const folder = copied();
    fs.writeFileSync(path.join(folder, "engines", name), text);
    expect(refused(folder).what).toContain(`engines/${name} has ${told}`);
  });
});

describe("in a copy of the project", () => {
  let copy: string;
  let folder: string;
  let before: Record<string, string>;
  beforeAll(() => {
    copy = path.join(scratch, "copy");
    folder = path.join(copy, "pipelines", "engine_comparison");
    const rooms = ["infra", "pipelines", "results", "report"];
    const files = ["Pulumi.yaml", "package.json", "tsconfig.json", "tests/defaults.ts"];
    const tests = ["tests/unit/pipelines/runKeys.ts", "tests/unit/report/synthetic.ts"];
    for (const name of [...rooms, ...files, ...tests]) {
      fs.cpSync(path.join(checkout, name), path.join(copy, name), { recursive: true });
    }
    fs.symlinkSync(path.join(checkout, "node_modules"), path.join(copy, "node_modules"));
    before = runKeys({ matrix: "full" });
  });

  function evaluate(program: string): string {
    const argv = ["--require", "tsx/cjs", "--eval", program];
    return execFileSync(process.execPath, argv, { cwd: copy, encoding: "utf8" });
  }

  function keys(): Record<string, string> {
    const program = `console.log(JSON.stringify(require("./tests/unit/pipelines/runKeys").runKeys({ matrix: "full" })))`;
    return JSON.parse(evaluate(program)) as Record<string, string>;
  }

  it("every run has the same key: where the checkout is does not matter", () => {
    expect(keys()).toEqual(before);
  }, 60_000);

  it("a comment in a file of an engine or a workload redoes its runs, and no other", () => {
    fs.appendFileSync(path.join(folder, "engines", "daft.py"), "# a comment\n");
    fs.appendFileSync(path.join(folder, "workloads", "taxi_report_oracle.py"), "# a comment\n");
    const after = keys();
    const redone = Object.keys(before).filter((run) => before[run] !== after[run]);
    const meant = Object.keys(before).filter((run) => /^daft[/-]|\/taxi-report$/.test(run));
    expect(redone).toEqual(meant);
    before = after;
  }, 60_000);

  it("files of one more workload and one more engine are more runs, and redo no other", () => {
    add(folder, "workloads", "toy_zones");
    add(folder, "engines", "toy");
    const { "toy/taxi-report": known, "toy/toy-zones": added, ...others } = keys();
    for (const key of [known, added]) expect(key).toMatch(/^[0-9a-f]{16}$/);
    expect(Object.entries(others)).toEqual(Object.entries(before));
  }, 60_000);

  it("a contender more of an engine that is there redoes no run but those of its family", () => {
    const before = keys();
    add(folder, "engines", "polars_threads");
    const after = keys();
    const added = Object.keys(after).filter((run) => !(run in before));
    expect(added.sort()).toEqual(names.map((name) => `polars-threads/${name}`).sort());
    const redone = Object.keys(before).filter((run) => before[run] !== after[run]);
    expect(redone).toEqual(["polars/taxi-report"]);
  }, 60_000);

  it("the report has a section about an added workload, in its words", () => {
    const page = evaluate(`
      const { verified } = require("./tests/unit/report/synthetic");
      const runs = ["spark/taxi-report", "toy/taxi-report", "toy/toy-zones"].map((run) => verified(run));
      console.log(require("./report/page").renderPage({ stack: "s", runs }));`);
    expect(page).toMatch(/<h2 id="workload-2-heading">toy-zones <span class="kind">Zones<\/span>/);
    expect(page).toContain("Count the zones of each borough.");
    expect(page).toContain("The counts are equal to the oracle&#39;s.");
    expect(page).toContain("zones per second");
    expect(page).toContain("<strong>Toy</strong>: what toy keeps.");
    expect(page).toContain("does not do it");
  }, 60_000);
});
