import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../../infra/contracts/errors";
import { clusterOf, engineOf, engines, findEngines } from "../../../pipelines/engines";
import { readSettings } from "../../../infra/targets/readSettings";
import { findWorkloads, workloads } from "../../../pipelines/workloads";
import { defaultConfig, largeMachine } from "../../defaults";
import { runKeys } from "./runKeys";

const checkout = path.join(__dirname, "..", "..", "..");
const toy = path.join(checkout, "tests", "python", "toy.py");
const names = workloads().map(({ name }) => name);

let scratch: string;
beforeAll(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), "engines-"));
});
afterAll(() => fs.rmSync(scratch, { recursive: true }));

/** A folder with one file in it. */
function folderWith(name: string, text: string): string {
  const folder = fs.mkdtempSync(path.join(scratch, "folder-"));
  fs.writeFileSync(path.join(folder, name), text);
  return folder;
}

function refusal(work: () => unknown): UserError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  }
  throw new Error("the file was taken");
}

describe("engines", () => {
  it("are the files of their folder, the seed's and the baseline first", () => {
    expect(engines().map(({ name }) => name)).toEqual(["spark", "ray", "daft", "baseline"]);
    expect(engines().map(({ label }) => label)).toEqual(["Spark", "Ray Data", "Daft", "Baseline"]);
    for (const engine of engines()) expect(engine.workloads, engine.name).toEqual(names);
  });

  it("compute on the cluster that their file says, or the setting that it names", () => {
    const on = (engine: string, changed: Record<string, string> = {}) =>
      clusterOf(engineOf(engine), readSettings(defaultConfig(changed), largeMachine));
    expect(["spark", "ray", "daft", "baseline"].map((engine) => on(engine))).toEqual([
      "spark",
      "ray",
      "none",
      "none",
    ]);
    expect(on("daft", { target: "docker" })).toBe("ray");
    expect(on("daft", { target: "docker", daftRunner: "native" })).toBe("none");
  });

  it("need say no more than their name, and do what they have a method for", () => {
    const folder = folderWith(
      "my_own.py",
      'class Own(Engine):\n    name = "my-own"\n\n    def taxi_report(self):\n        ...\n\nENGINE = Own\n',
    );
    fs.writeFileSync(path.join(folder, "_shared.py"), "");
    expect(findEngines(folder, names)).toEqual([
      {
        name: "my-own",
        label: "my-own",
        cluster: "none",
        settings: [],
        workloads: ["taxi-report"],
      },
    ]);
  });

  const own = fs.readFileSync(toy, "utf8");
  const said = (line: string) => own.replace(/^ {4}label: .*$/m, `    ${line}`);
  it.each([
    ["Toy.py", own, "has a name that is not of lower-case letters and digits"],
    ["other.py", own, 'has the `name` "toy"'],
    ["toy.py", own.replace(/^ {4}name: .*\n/m, ""), "has no `name`"],
    ["toy.py", own.replace("ENGINE = Toy", ""), "has no ENGINE"],
    ["toy.py", own.replace("def taxi_report", "def taxi"), "has no method for a workload"],
    ["toy.py", said('label = "a" + "b"'), 'has a `label` that can\'t be read: "a" + "b"'],
    ["toy.py", said("label = 'Toy'"), "has a `label` that can't be read: 'Toy'"],
    ["toy.py", said('label = ("Toy",)'), "has a `label` that is no string"],
    ["toy.py", said('label = "a"\n    label = "b"'), "has more than one `label`"],
    ["toy.py", said('cluster = "flink"'), 'has the `cluster` "flink"'],
    ["toy.py", said('cluster = "fareAbove"'), 'has the `cluster` "fareAbove"'],
    ["toy.py", said('settings = "batchSize"'), 'has "batchSize" as `settings`'],
    ["toy.py", said('settings = ("batchsize",)'), 'has "batchsize" as `settings`'],
    ["toy.py", said('settings = ("minioRootPassword",)'), 'has "minioRootPassword" as `settings`'],
    [
      "toy.py",
      said('settings = (\n        "batchSize",\n    )'),
      "has a `settings` that can't be read: (",
    ],
  ])("are refused: %s, because it %3$s", (name, text, told) => {
    const { what, why, fix } = refusal(() => findEngines(folderWith(name, text), names));
    expect(what).toContain(name);
    expect(what).toContain(told);
    expect(why).toBeTruthy();
    expect(fix).toContain("docs/adding-an-engine.md");
  });
});

describe("workloads", () => {
  it("are the files with a WORKLOAD, the seed's in its order", () => {
    expect(names).toEqual(["taxi-report", "image-predictions", "image-embeddings"]);
  });

  it("that do not say where their output goes are refused", () => {
    const folder = folderWith(
      "trip_count.py",
      'class T(Workload):\n    name = "trip-count"\n    dataset = "taxi"\n\nWORKLOAD = T()\n',
    );
    expect(refusal(() => findWorkloads(folder)).what).toContain("has no `purpose`");
  });
});

describe("in a copy of the project", () => {
  let copy: string;
  beforeAll(() => {
    copy = path.join(scratch, "copy");
    const taken = ["infra", "pipelines", "results", "Pulumi.yaml", "package.json", "tsconfig.json"];
    const tests = ["tests/defaults.ts", "tests/unit/pipelines/runKeys.ts"];
    for (const name of [...taken, ...tests]) {
      fs.cpSync(path.join(checkout, name), path.join(copy, name), { recursive: true });
    }
    fs.symlinkSync(path.join(checkout, "node_modules"), path.join(copy, "node_modules"));
  });

  function keys(): Record<string, string> {
    const program = ["--import", "tsx", "tests/unit/pipelines/runKeys.ts"];
    const out = execFileSync(process.execPath, program, { cwd: copy, encoding: "utf8" });
    return JSON.parse(out) as Record<string, string>;
  }
  const engineFile = (name: string) =>
    path.join(copy, "pipelines", "engine_comparison", "engines", name);

  it("every run has the same key: where the checkout is does not matter", () => {
    expect(keys()).toEqual(runKeys());
  }, 60_000);

  it("one more file is one more engine, and redoes no run of another", () => {
    const before = keys();
    expect(Object.keys(before)).toHaveLength(12);
    fs.copyFileSync(toy, engineFile("toy.py"));
    const { "toy/taxi-report": added, ...others } = keys();
    fs.rmSync(engineFile("toy.py"));
    expect(added).toMatch(/^[0-9a-f]{16}$/);
    expect(Object.entries(others)).toEqual(Object.entries(before));
  }, 60_000);

  it("a comment in one engine's file redoes that engine's runs, and no other", () => {
    const before = keys();
    fs.appendFileSync(engineFile("daft.py"), "# a comment\n");
    const after = keys();
    const redone = Object.keys(before).filter((run) => before[run] !== after[run]);
    expect(redone.sort()).toEqual(names.map((workload) => `daft/${workload}`).sort());
  }, 60_000);
});
