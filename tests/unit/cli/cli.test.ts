import * as fs from "node:fs";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exitCode, verbs } from "../../../cli/cli";
import { checkout } from "../../../infra/host/folders";
import type { Owner } from "../../../infra/stack/owner";
import { freshHome } from "./home";

const home = freshHome();
let [out, err] = ["", ""];

beforeEach(() => {
  [out, err] = ["", ""];
  vi.spyOn(console, "log").mockImplementation((text: string) => void (out += `${text}\n`));
  vi.spyOn(console, "error").mockImplementation((text: string) => void (err += `${text}\n`));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Records stack `local` as deployed by the embedded runner. */
function deployed(changed: Partial<Owner> = {}): void {
  const place = { checkout: fs.realpathSync(checkout), backend: "stack folder" };
  const owner = { id: "1", ...place, target: "local", runner: "embedded" };
  const folder = path.join(home(), "local");
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, "owner.json"), JSON.stringify({ ...owner, ...changed }));
}

it("package.json has a script for every verb", () => {
  const text = fs.readFileSync(path.join(checkout, "package.json"), "utf8");
  const { scripts } = JSON.parse(text) as { scripts: Record<string, string> };
  for (const verb of Object.keys(verbs)) expect(scripts[verb]).toBe(`node cli/main.mjs ${verb}`);
});

describe("exit code 2, wrong use or settings:", () => {
  it.each([
    [["fly"], 'unknown verb "fly"'],
    [["toString"], 'unknown verb "toString"'],
    [["outputs", "--jsno"], "Unknown option '--jsno'\nusage: npm run outputs -- [--json] [name]"],
    [["start", "now"], '"now" is one argument too many\nusage: npm start --'],
    [["rerun"], "an argument is missing\nusage: npm run rerun --"],
    [["start", "--config", "fareAbove"], '--config is "fareAbove": it takes key=value'],
    [["start", "--runner", "magic"], '--runner is "magic": it can be auto, pulumi or embedded'],
    [["start", "--config", "sparkWorkers=0"], 'engine-comparison:sparkWorkers is "0"'],
  ])("%j", async (argv, message) => {
    expect(await exitCode(argv)).toBe(2);
    expect(err).toContain(message);
    expect(out).toBe("");
  });

  it("a run that the stack does not have", async () => {
    deployed();
    expect(await exitCode(["rerun", "spark/nothing"])).toBe(2);
    expect(err).toContain(
      '"spark/nothing" is not a run of stack local; its runs: spark/taxi-report',
    );
  });

  it("a runner that has not made the stack", async () => {
    deployed();
    expect(await exitCode(["start", "--runner", "pulumi"])).toBe(2);
    expect(err).toContain("stack local was made by runner embedded");
  });

  it("a stack of another checkout", async () => {
    const other = path.join(home(), "elsewhere");
    fs.mkdirSync(other);
    fs.writeFileSync(path.join(other, "Pulumi.yaml"), "");
    deployed({ checkout: other });
    for (const verb of ["start", "destroy", "outputs"]) {
      expect(await exitCode([verb])).toBe(2);
      expect(err).toContain(`stack local belongs to the checkout ${other}`);
    }
  });

  it("leaves nothing behind", async () => {
    await exitCode(["start", "--config", "sparkWorkers=0"]);
    expect(fs.readdirSync(home())).toEqual([]);
  });
});

describe("where nothing is deployed", () => {
  it.each(["outputs", "status", "logs", "shell", "refresh"])(
    "%s fails and says how to deploy",
    async (verb) => {
      expect(await exitCode([verb, "--stack", "other"])).toBe(1);
      expect(err).toContain("stack other is not deployed");
      expect(err).toContain("npm start -- --stack other");
    },
  );

  it("there is nothing to destroy, and that is no failure", async () => {
    expect(await exitCode(["destroy"])).toBe(0);
    expect(out).toContain("nothing to destroy");
    expect(fs.readdirSync(home())).toEqual([]);
  });
});

describe("help", () => {
  it("lists every verb", async () => {
    expect(await exitCode(["--help"])).toBe(0);
    for (const verb of Object.keys(verbs)) expect(out).toContain(verb);
  });

  it.each(Object.keys(verbs))("of %s says how to use it", async (verb) => {
    expect(await exitCode([verb, "--help"])).toBe(0);
    expect(out).toContain(verb === "start" ? "usage: npm start" : `usage: npm run ${verb}`);
    expect(out).toContain("--stack");
  });
});
