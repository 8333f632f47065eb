import { type StepVerbs } from "../../../stack/runStep";
import { removeStepRecord } from "../../../stack/records";
import { Docker, forgetDaemon } from "../daemon";
import { find, groundStep, leftovers, modelStep, readyStep } from "../inspect";
import { idLabel, roles } from "../names";

export interface CleanupSpec {
  /** The stack's id. */
  readonly id: string;
}

/** More workers than a stack may have. */
const mostWorkers = 16;

export default {
  /** Removes containers that a killed deployment left: Pulumi may not know them, and they hold names and ports. */
  async create({ stack, spec: { id } }) {
    const docker = Docker.of(stack);
    const left = leftovers(stack, mostWorkers, find(docker, id));
    if (left.length > 0) docker.run(["rm", "--force", "--volumes", ...left]);
    return { swept: left.length };
  },

  /** Removes all that carries the stack's id. */
  async delete({ stack, spec: { id } }) {
    const docker = Docker.of(stack);
    const label = `label=${idLabel}=${id}`;
    const all = (...list: string[]) =>
      [
        ...new Set(docker.run([...list, "--quiet", "--no-trunc", "--filter", label]).split("\n")),
      ].filter(Boolean);
    const remove = (ids: string[], ...command: string[]) => {
      if (ids.length > 0) docker.run([...command, ...ids]);
    };
    remove(all("ps", "--all"), "rm", "--force", "--volumes");
    remove(all("network", "ls"), "network", "rm");
    remove(
      docker.run(["volume", "ls", "--quiet", "--filter", label]).split("\n").filter(Boolean),
      "volume",
      "rm",
    );
    remove(all("image", "ls"), "image", "rm", "--force");
    for (const role of roles(mostWorkers)) removeStepRecord(stack, readyStep(role));
    for (const name of [groundStep, modelStep]) removeStepRecord(stack, name);
    forgetDaemon(stack);
  },
} satisfies StepVerbs<CleanupSpec>;
