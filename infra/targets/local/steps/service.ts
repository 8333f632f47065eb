import type { StepContext, StepResult, StepVerbs } from "../../../stack/runStep";
import { convergeService, removeService, type Service } from "../services";

/** What a service's step is made of. */
export interface ServiceStep<Spec> {
  /** Prepares files and tells how the service is run; called again by each update. */
  readonly service: (context: StepContext<Spec>) => Omit<Service, "name">;
  /** What the step prints: addresses for people and jobs, nothing secret. */
  readonly result: (spec: Spec) => StepResult;
  /** Removes the service's files when it is gone. */
  readonly clean?: (context: StepContext<Spec>) => void;
}

/** A service's step: `create` and `update` converge, `delete` ends and cleans. */
export function serviceStep<Spec>(step: ServiceStep<Spec>): StepVerbs<Spec> {
  return {
    async create(context) {
      const { stack, name, spec } = context;
      await convergeService(stack, { name, ...step.service(context) }, spec);
      return step.result(spec);
    },
    async delete(context) {
      await removeService(context.stack, context.name);
      step.clean?.(context);
    },
  };
}
