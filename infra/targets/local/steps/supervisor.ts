import { type StepVerbs } from "../../../stack/runStep";
import { removeSupervisor, startSupervisor, stopSupervisor } from "../supervisord";
import { pythonOf } from "../../../toolchain/tools";

/** The stack's supervisord. Started afresh, it starts nothing: each service has a step of its own. */
export default {
  async create({ stack }) {
    await startSupervisor(stack, pythonOf(stack));
    return { supervisor: "supervisord" };
  },
  async delete({ stack }) {
    await stopSupervisor(stack);
    removeSupervisor(stack);
  },
} satisfies StepVerbs<unknown>;
