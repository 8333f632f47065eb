import { stackFolder } from "../infra/folders";
import { runnerVariable } from "../infra/ownership";
import type { Configuration } from "./config";
import * as embedded from "../embedded";
import type { Project } from "./project";
import type { Runner, Watch } from "./runner";

/** Deploys `stack` by the embedded runner; its state is in the stack folder. */
export function embeddedRunner(
  project: Project,
  stack: string,
  configuration: Configuration,
  passphrase: () => string,
): Runner {
  const options = (watch: Watch): embedded.EmbeddedOptions => ({
    projectDir: project.folder,
    project: project.name,
    stack,
    stackFolder: stackFolder(stack),
    config: configuration.all,
    secretKeys: configuration.secretKeys,
    passphrase: passphrase(),
    continueOnError: true,
    onEvent: (event) => watch.onEvent(event),
    signal: watch.stop,
    killSignal: watch.kill,
  });
  // The program, a child of this process, asks by whom it is run.
  process.env[runnerVariable] = "embedded";
  return {
    name: "embedded",
    up: (watch, replace = []) => embedded.up({ ...options(watch), replaceUrns: replace }),
    preview: (watch) => embedded.preview(options(watch)),
    destroy: (watch) => embedded.destroy(options(watch)),
    refresh: (watch) => embedded.refresh(options(watch)),
    // Without secrets laid open the passphrase is not used.
    outputs: () => embedded.outputs(stackFolder(stack), ""),
    resources: async () => embedded.exportState(stackFolder(stack))?.deployment.resources ?? [],
  };
}
