import type { Value } from "./values";

export type StepOp =
  | "create"
  | "update"
  | "replace"
  | "delete"
  | "delete-replaced"
  | "remove-pending-replace"
  | "same";

/** One changed input. Secrets show as `[secret]`, what is not known yet as `[unknown]`. */
export interface PropertyDiff {
  /** Such as `environment.SPEC.fareAbove` or `triggers[0].fareAbove`. */
  readonly path: string;
  readonly old?: unknown;
  readonly new?: unknown;
  readonly kind: "add" | "delete" | "update";
}

export type StepEvent =
  | {
      readonly kind: "start" | "done" | "failed" | "skipped";
      readonly op: StepOp;
      readonly urn: string;
      readonly type: string;
      readonly name: string;
      /** Wall time of the step; absent on `start`, on previews and on components. */
      readonly seconds?: number;
      readonly diff?: PropertyDiff[];
      readonly error?: string;
    }
  | {
      readonly kind: "log";
      /** `output` is a line that a running Command printed. */
      readonly severity: "debug" | "info" | "warning" | "error" | "output";
      readonly message: string;
      readonly urn?: string;
    }
  | { readonly kind: "summary"; readonly changes: Changes };

/** How many resources each operation touched; a replacement counts once, as `replace`. */
export type Changes = Partial<Record<StepOp, number>>;

export interface EmbeddedOptions {
  /** Folder with Pulumi.yaml and package.json; relative paths of Commands start here. */
  readonly projectDir: string;
  readonly project: string;
  readonly stack: string;
  /** Where state.json, its backup and the lock live; made if missing. */
  readonly stackFolder: string;
  /** Full keys such as `engine-comparison:fareAbove`, the defaults of Pulumi.yaml already applied. */
  readonly config: Readonly<Record<string, string>>;
  /** Those keys of `config` whose values are secret. */
  readonly secretKeys: readonly string[];
  /** Encrypts the secrets in the state, as Pulumi's passphrase provider does. */
  readonly passphrase: string;
  /** Commands that run at the same time. @default 4 times the cores, as the Pulumi CLI */
  readonly parallel?: number;
  /** After a failed step go on with what does not depend on it. @default false */
  readonly continueOnError?: boolean;
  /** Resources to replace even if nothing about them has changed, as `pulumi up --replace`. */
  readonly replaceUrns?: readonly string[];
  onEvent(event: StepEvent): void;
  /** Aborted: no new step starts, those that run are waited for and recorded. */
  readonly signal?: AbortSignal;
  /** Aborted: the process groups of running Commands are killed; they fail and that is recorded. */
  readonly killSignal?: AbortSignal;
}

export interface Outcome {
  readonly ok: boolean;
  readonly changes: Changes;
  /** The stack's outputs, secrets as `[secret]`. */
  readonly outputs: Record<string, unknown>;
  /** One message an error, in the order in which they happened. */
  readonly errors: string[];
}

export interface PreviewOutcome extends Outcome {
  /** What an up would do, without what stays the same. */
  readonly steps: { readonly op: StepOp; readonly urn: string; readonly diff: PropertyDiff[] }[];
}

/** Seconds; absent means no limit. */
export interface Timeouts {
  create?: number;
  update?: number;
  delete?: number;
}

/** A resource as Pulumi's deployment format (version 3) has it; property values as on the wire. */
export interface Resource {
  urn: string;
  custom: boolean;
  delete?: boolean;
  id?: string;
  type: string;
  inputs?: Record<string, Value>;
  outputs?: Record<string, Value>;
  parent?: string;
  protect?: boolean;
  dependencies?: string[];
  /** `<urn of the provider>::<its id>` */
  provider?: string;
  propertyDependencies?: Record<string, string[]>;
  pendingReplacement?: boolean;
  additionalSecretOutputs?: string[];
  customTimeouts?: Timeouts;
  deletedWith?: string;
  created?: string;
  modified?: string;
  replaceOnChanges?: string[];
}

export interface Operation {
  resource: Resource;
  type: "creating" | "updating" | "deleting" | "reading" | "importing";
}

/** What state.json holds, which is also what `pulumi stack export` prints and `import` takes. */
export interface Deployment {
  version: 3;
  deployment: {
    manifest: { time: string; magic: string; version: string };
    secrets_providers?: { type: "passphrase"; state: { salt: string } };
    resources?: Resource[];
    pending_operations?: Operation[];
    metadata?: Record<string, never>;
  };
}

export interface Alias {
  /** Either the whole URN, or the parts that differ. */
  readonly urn?: string;
  readonly name?: string;
  readonly type?: string;
  readonly stack?: string;
  readonly project?: string;
  readonly parent?: string;
  readonly noParent?: boolean;
}

/** What the program wants a resource to be. */
export interface Goal {
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  readonly inputs: Record<string, Value>;
  readonly parent: string;
  /** Undefined means: as the parent. */
  readonly protect?: boolean;
  readonly dependencies: string[];
  readonly propertyDependencies: Record<string, string[]>;
  readonly deleteBeforeReplace?: boolean;
  readonly additionalSecretOutputs: string[];
  readonly aliases: Alias[];
  readonly customTimeouts: Timeouts;
  readonly replaceOnChanges: string[];
  /** Empty means: as the parent. */
  readonly deletedWith: string;
}
