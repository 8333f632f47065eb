import { runStep } from "../../runStep";
import { removeSupervisor, startSupervisor, stopSupervisor } from "../processes/supervisord";
import { pythonOf } from "../tools";

/** The stack's supervisord. Started afresh, it starts nothing: each service has a step of its own. */
void runStep<unknown>({
  async create({ stack }) {
    await startSupervisor(stack, pythonOf(stack));
    return { supervisor: "supervisord" };
  },
  async delete({ stack }) {
    await stopSupervisor(stack);
    removeSupervisor(stack);
  },
});
