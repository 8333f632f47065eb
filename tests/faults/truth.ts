import * as fs from "node:fs";
import * as path from "node:path";
import { expect } from "vitest";
import { serviceVariable } from "../../infra/targets/local/supervisord";
import { ownProcesses, withDescendants } from "../../infra/host/processTable";
import { readBack } from "../e2e/readBack";
import { eventually, listens, type TestStack } from "../e2e/stack";
import { deployment } from "./moments";

interface Outputs {
  readonly minioEndpoint: string;
  readonly runs: Readonly<Record<string, { status: string; key: string }>>;
}

const read = (pid: number, file: "cmdline" | "environ") => {
  try {
    return fs.readFileSync(`/proc/${pid}/${file}`, "utf8").replaceAll("\0", " ");
  } catch {
    return ""; // ended by now
  }
};

/** The Pulumi CLI's plugins: the next `npm` command ends those of a CLI that was killed (docs/promises.md). */
export function plugins(stack: TestStack): number[] {
  const plugin = /pulumi-(resource-command|language-nodejs)/;
  return stack.processes().filter((pid) => plugin.test(read(pid, "cmdline")));
}

/** The Pulumi CLI, while it works on the stack. */
export function pulumiOf(stack: TestStack): number[] {
  return stack.processes().filter((pid) => /^(\S*\/)?pulumi /.test(read(pid, "cmdline")));
}

/**
 * Processes of the stack that are no services of it, nor of a service's: after a command has ended
 * there are none. A process of Ray may have written its name over the environment that tells.
 */
export function strays(stack: TestStack): string[] {
  const marked = ownProcesses().filter(({ pid }) =>
    read(pid, "environ").includes(` ${serviceVariable}=`),
  );
  const services = withDescendants(
    marked.map(({ pid }) => pid),
    ownProcesses(),
  );
  const known = new Set([...plugins(stack), ...services]);
  return stack
    .processes()
    .filter((pid) => !known.has(pid))
    .map((pid) => `${pid} ${read(pid, "cmdline").slice(0, 200)}`)
    .filter((line) => !/^\d+ $/.test(line));
}

/** Holds that a stack after an up is what its state, its records and its settings say. */
export async function expectTruth(
  stack: TestStack,
  runs: readonly string[],
  data: { readonly fareAbove: number; readonly photos: number },
): Promise<void> {
  const outputs = await stack.outputs<Outputs>();
  expect(Object.keys(outputs.runs).sort()).toEqual([...runs].sort());
  for (const run of runs) expect(outputs.runs[run].status, run).toBe("verified");
  // Each run is published once and whole, under the key that the state has, and nothing beside it.
  expect(readBack(stack, { ...outputs, ...data })).toEqual([]);
  const preview = await stack.run("preview", "--expect-no-changes");
  expect(preview.code, preview.stdout + preview.stderr).toBe(0);
  const status = await stack.run("status", "--json");
  const { deploying, services } = JSON.parse(status.stdout) as {
    deploying: boolean;
    services: { name: string; state: string }[];
  };
  expect(deploying).toBe(false);
  expect(services.filter(({ state }) => state !== "RUNNING")).toEqual([]);
  if (stack.runner === "embedded") {
    const { pending_operations: pending = [], resources = [] } = deployment(stack);
    expect(pending).toEqual([]);
    expect(new Set(resources.map(({ urn }) => urn)).size).toBe(resources.length);
  }
  const left = fs
    .readdirSync(stack.folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /(^lock|\.new|\.progress\.json|^stopping|^scratch\/.+)$/.test(name));
  expect(left).toEqual([]);
  expect(strays(stack)).toEqual([]);
  expect(plugins(stack)).toEqual([]);
}

/** Holds that a destroy has left history, settings and passphrase, and nothing else. */
export async function expectNothing(stack: TestStack): Promise<void> {
  await stack.run("status"); // ends the plugins that a killed CLI left
  await eventually("no process is left", 15, () => stack.processes().length === 0);
  for (const port of [9000, 9001, 7077, 8080, 6379, 8265, 10001]) {
    expect(await listens(port + stack.portOffset), String(port)).toBe(false);
  }
  const kept = ["history", "passphrase", `Pulumi.${stack.name}.yaml`];
  const own = stack.runner === "pulumi" ? ["pulumi", "pulumi-backend"] : [];
  const left = fs.readdirSync(stack.folder).filter((name) => ![...kept, ...own].includes(name));
  expect(left).toEqual([]);
  const history = path.join(stack.folder, "history", "results.jsonl");
  expect(fs.existsSync(history)).toBe(true);
}
