/** What becomes of a stack whose checkout moves, whose cache is gone, and whose state is broken. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheFolder } from "../../infra/host/folders";
import { checkout, freeOffset, small, TestStack, type Finished } from "../e2e/stack";

const portOffset = freeOffset(20_500);
const minutes = (n: number) => n * 60_000;

/** Next to the shared cache, so that its files can be linked instead of copied. */
function copyOfCache(): string {
  fs.mkdirSync(cacheFolder(), { recursive: true });
  const copy = fs.mkdtempSync(`${cacheFolder()}-upgrade-`);
  execFileSync("cp", ["-al", `${cacheFolder()}/.`, copy]);
  fs.rmSync(path.join(copy, "stacks"), { recursive: true, force: true });
  return copy;
}

/** A checkout of its own: the files that git knows here, as they are. */
function copyOfCheckout(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ec-checkout-"));
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: checkout, encoding: "utf8" });
  for (const file of files.split("\0").filter((name) => fs.existsSync(path.join(checkout, name)))) {
    if (file) fs.cpSync(path.join(checkout, file), path.join(folder, file));
  }
  fs.symlinkSync(path.join(checkout, "node_modules"), path.join(folder, "node_modules"));
  return folder;
}

describe("a stack", () => {
  const cache = copyOfCache();
  const stack = new TestStack("embedded", portOffset, { ENGINE_COMPARISON_CACHE: cache });
  const run = "ray/taxi-report";
  const settings = {
    ...small,
    matrix: "full",
    engines: "ray",
    workloads: "taxi-report",
    taxiRows: 20_000,
    taxiMonths: 2,
    sparkWorkers: 1,
    portOffset,
  };
  stack.checkout = copyOfCheckout();

  beforeAll(async () => done(stack.start(settings)), minutes(30));
  afterAll(async () => {
    if (fs.existsSync(stack.folder)) await stack.run("destroy");
    for (const folder of [stack.home, stack.checkout, cache]) {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }, minutes(5));

  async function done(verb: Promise<Finished>): Promise<void> {
    const { code, stdout, stderr } = await verb;
    expect(code, stdout + stderr).toBe(0);
  }

  /** What a preview would do, as `update minio`. */
  async function plan(): Promise<string[]> {
    const steps = await stack.preview();
    return steps.map(({ op, urn }) => `${op} ${urn.split("::").slice(3).join("::")}`);
  }

  async function expectVerified(): Promise<void> {
    const { runs } = await stack.outputs<{ runs: Record<string, { status: string }> }>();
    expect(runs[run].status).toBe("verified");
  }

  it(
    "a moved checkout changes nothing, and goes on",
    async () => {
      const before = stack.checkout;
      stack.checkout = `${before}-moved`;
      fs.renameSync(before, stack.checkout);
      expect(await plan()).toEqual([]);
      // The cluster's services were started from the folder that is gone.
      await done(stack.start({ fareAbove: 31 }));
      await expectVerified();
      expect(await plan()).toEqual([]);
    },
    minutes(10),
  );

  const stateFile = path.join(stack.folder, "state.json");

  it.each([
    ["empty", () => ""],
    ["cut in half", (text: string) => text.slice(0, text.length / 2)],
    ["of another shape", () => '{"version":3,"deployment":[]}'],
    ["without a resource that others need", withoutSupervisor],
  ])(
    "a broken state stops every command, and its copy put back is as good: %s",
    async (_, breakIt) => {
      const text = fs.readFileSync(stateFile, "utf8");
      fs.writeFileSync(stateFile, breakIt(text));
      const broken = fs.readFileSync(stateFile, "utf8");
      const copy = fs.readFileSync(`${stateFile}.bak`, "utf8");
      for (const verb of ["preview", "start", "destroy", "outputs"]) {
        const { code, stdout, stderr } = await stack.run(verb);
        expect(code, verb).toBe(1);
        expect(stdout + stderr, verb).toContain(`${stateFile} cannot be used`);
        expect(stderr, verb).toContain(`cp '${stateFile}.bak' '${stateFile}'`);
        expect(stdout + stderr, verb).not.toMatch(/^\s+at .*:\d+:\d+/m);
      }
      expect(fs.readFileSync(stateFile, "utf8")).toBe(broken);
      expect(fs.readFileSync(`${stateFile}.bak`, "utf8")).toBe(copy);
      fs.copyFileSync(`${stateFile}.bak`, stateFile);
      expect((await plan()).filter((step) => !step.endsWith(" report-page"))).toEqual([]);
      fs.writeFileSync(stateFile, text);
      expect(await plan()).toEqual([]);
    },
    minutes(5),
  );

  it(
    "a wrong passphrase opens nothing, and says where the right one is asked for",
    async () => {
      const file = path.join(stack.folder, "passphrase");
      const right = fs.readFileSync(file);
      fs.writeFileSync(file, "another\n");
      for (const verb of ["preview", "start", "destroy"]) {
        const { code, stdout, stderr } = await stack.run(verb);
        expect(code, verb).toBe(1);
        expect(stdout + stderr, verb).toContain("The passphrase does not open this stack's state");
      }
      fs.writeFileSync(file, right);
      expect(await plan()).toEqual([]);
    },
    minutes(3),
  );

  it(
    "a resource taken out of the state by hand is made again",
    async () => {
      const stored = readState(fs.readFileSync(stateFile, "utf8"));
      const { resources } = stored.deployment;
      stored.deployment.resources = resources.filter(({ urn }) => !urn.endsWith("::report-page"));
      fs.writeFileSync(stateFile, JSON.stringify(stored));
      expect(await plan()).toEqual(["create report-page"]);
      await done(stack.start());
      expect(await plan()).toEqual([]);
    },
    minutes(5),
  );

  it(
    "a cache that is gone is told, and filled again",
    async () => {
      // What was downloaded stays: to fetch it again is the network's test.
      for (const kind of ["python", "jars", "model", "datasets"]) {
        fs.rmSync(path.join(cache, kind), { recursive: true });
      }
      const steps = await plan();
      const tools = ["python", "jars", "model"].map((tool) => `toolchain-${tool}`);
      for (const step of [...tools, "taxi-files", "services-ray-head"]) {
        expect(steps).toContain(`update ${step}`);
      }
      expect(steps.filter((step) => !step.startsWith("update "))).toEqual([]);
      await done(stack.start());
      await expectVerified();
      expect(await plan()).toEqual([]);
    },
    minutes(30),
  );

  it(
    "a destroy needs no cache",
    async () => {
      fs.rmSync(cache, { recursive: true });
      await done(stack.run("destroy"));
      expect(stack.processes()).toEqual([]);
      const kept = [`Pulumi.${stack.name}.yaml`, "history", "passphrase"];
      expect(fs.readdirSync(stack.folder).sort()).toEqual(kept);
    },
    minutes(5),
  );
});

interface Stored {
  readonly deployment: { resources: { readonly urn: string }[] };
}

function readState(text: string): Stored {
  return JSON.parse(text) as Stored;
}

function withoutSupervisor(text: string): string {
  const stored = readState(text);
  const { resources } = stored.deployment;
  const others = resources.filter(({ urn }) => !urn.endsWith("::services-supervisor"));
  expect(others.length).toBe(resources.length - 1);
  stored.deployment.resources = others;
  return JSON.stringify(stored);
}
