/**
 * The embedded runner: Pulumi's engine protocol, served from Node, for machines without the Pulumi
 * CLI. It runs the unmodified program and leaves a state that `pulumi stack import` takes.
 *
 * It knows components and `command:local:Command` 1.2.1, and honours the options parent, dependsOn,
 * deletedWith, customTimeouts, replaceOnChanges, deleteBeforeReplace, additionalSecretOutputs,
 * protect and aliases. Refused by name are every other resource type (providers included), function
 * and method, stack references and `get`, transforms, hooks, packages, the options import, provider,
 * providers, ignoreChanges, retainOnDelete, replaceWith, replacementTrigger, hideDiffs and
 * pluginDownloadURL, assets, archives and resources as inputs, and `assetPaths` and `archivePaths`.
 *
 * It is no Pulumi: there are no targets, plans, policies, imports, state commands or backends, a
 * refresh reads nothing, and a step that an interrupted run left behind is told once and forgotten.
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
