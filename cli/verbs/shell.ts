import { noStack } from "../noStack";
import { targetOf } from "../../infra/targets";
import type { Verb } from "../verb";
import { exited } from "../exited";

export const shell: Verb = {
  usage: "",
  summary: "a shell with the engines' environment, next to the services",
  help: ["Its exit code is the shell's own."],
  syntax: {},
  async run({ stack }) {
    const services = await targetOf(stack)?.services();
    if (!services) throw noStack(stack);
    // Ctrl-C is the shell's.
    process.on("SIGINT", () => undefined);
    return exited(services.shell(stack));
  },
};
