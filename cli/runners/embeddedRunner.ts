import * as embedded from "../../embedded";
import { UserError } from "../../infra/contracts/errors";
import { readOr } from "../../infra/host/folders";
import { stackFiles } from "../../infra/stack/files";
import { idOf, idVariable, runnerVariable } from "../../infra/stack/claim";
import { readOwner } from "../../infra/stack/owner";
import { stackPassphrase } from "../project";
import type { Runner, RunnerArgs, Watch } from "./runner";

/** Deploys `stack` by the embedded runner; its state is in the stack folder. */
export function makeRunner({ project, stack, configuration }: RunnerArgs): Runner {
  const { root } = stackFiles(stack);
  const options = (watch: Pick<Watch, "onEvent"> & Partial<Watch>): embedded.EmbeddedOptions => ({
    projectDir: project.folder,
    project: project.name,
    stack,
    stackFolder: root,
    config: configuration.all,
    secretKeys: configuration.secretKeys,
    passphrase: stackPassphrase(stack).text,
    continueOnError: true,
    onEvent: (event) => watch.onEvent(event),
    signal: watch.stop,
    killSignal: watch.kill,
  });
  // The program, a child of this process, asks by whom it is run.
  process.env[runnerVariable] = "embedded";
  // And which stack it is, where only the state still knows.
  const id = readOwner(stack) ? undefined : idOf(readOr(stackFiles(stack).state) ?? "{}");
  if (id !== undefined) process.env[idVariable] = id;
  return {
    name: "embedded",
    up: (watch, replace = []) =>
      explained(() => embedded.up({ ...options(watch), replaceUrns: replace })),
    preview: (onEvent) => explained(() => embedded.preview(options({ onEvent }))),
    destroy: (watch) => explained(() => embedded.destroy(options(watch))),
    refresh: (watch) => explained(() => embedded.refresh(options(watch))),
    outputs: () => explained(() => embedded.outputs(root)),
    resources: () => explained(() => embedded.exportState(root)?.deployment.resources ?? []),
  };
}

/** Turns an error of the package that the user can fix into one of this project. */
async function explained<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof embedded.EmbeddedError)) throw error;
    const how = error.stateLost ? " docs/troubleshooting.md says how." : "";
    throw new UserError(error.what, error.why, error.fix + how);
  }
}
