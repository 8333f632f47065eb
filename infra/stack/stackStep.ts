import { UserError } from "../contracts/errors";
import { forgetStack, stackId } from "./owner";
import type { StepVerbs } from "./runStep";

export interface StackSpec {
  readonly id: string;
}

/** Keeps the stack's id in the state. Its delete is the last of all, so the stack's name is free again. */
export default {
  async create({ stack, spec }) {
    const id = stackId(stack);
    if (id === spec.id) return { id };
    throw new UserError(
      `the stack folder of ${stack} has the id ${id}, and the state has ${spec.id}`,
      "the folder and the state are of two different stacks",
      "put the folder back that belongs to this state, or choose another stack",
    );
  },
  async delete({ stack }) {
    forgetStack(stack);
  },
} satisfies StepVerbs<StackSpec>;
