import { deploy } from "../deploy";
import { makingOptions, openToDeploy } from "../session";
import type { Verb } from "../verb";

export const start: Verb = {
  usage: "[--runner auto|pulumi|embedded] [--install-cli] [--config key=value ...]",
  summary: "set up, deploy the stack, run the pipelines, print the outputs",
  help: [
    "--runner       by what a new stack is deployed; auto: the Pulumi CLI if it is on PATH, else",
    "               the embedded runner. A stack stays with the one that made it.",
    "--install-cli  downloads the official Pulumi CLI first, and uses it for a new stack",
    "--config       sets a key of docs/configuration.md and keeps it for this stack; key= takes",
    "               it back, lists are written a,b or as JSON, a secret may be in a file: key=@file",
  ],
  syntax: { options: makingOptions },
  run: async (args) => deploy(await openToDeploy(args)),
};
