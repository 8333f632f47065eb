/**
 * The embedded runner: Pulumi's engine protocol, served from Node, for machines without the Pulumi
 * CLI. It runs the unmodified program and knows components and `command:local:Command`; all else is
 * refused by name.
 */
export { destroy, exportState, outputs, preview, refresh, up } from "./run";
export type {
  Changes,
  EmbeddedOptions,
  Outcome,
  PreviewOutcome,
  PropertyDiff,
  StepEvent,
  StepOp,
} from "./types";
