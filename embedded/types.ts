import type { Value } from "./values";

export type StepOp = "create" | "update" | "replace" | "delete" | "delete-replaced" | "same";

/** One changed input. Secrets show as `[secret]`, what is not known yet as `[unknown]`. */
export interface PropertyDiff {
  /** Such as `environment.PRICE` or `triggers[0].price`. */
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
      /** On `done` in previews: what the program declared, secrets as `[secret]`. */
      readonly inputs?: Record<string, unknown>;
      readonly error?: string;
    }
  | {
      readonly kind: "log";
      readonly severity: "debug" | "info" | "warning" | "error";
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
  /** Full keys such as `shop:price`, the defaults of Pulumi.yaml already applied. */
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
  readonly onEvent: (event: StepEvent) => void;
  /** Aborted: no new step starts, those that run are waited for and recorded. */
  readonly signal?: AbortSignal;
  /** Aborted: the process groups of running Commands are killed; they fail and that is recorded. */
  readonly killSignal?: AbortSignal;
}

/** The options with their defaults applied. */
export interface RunOptions extends EmbeddedOptions {
  readonly parallel: number;
  /** Nothing is run and nothing is written. */
  readonly preview: boolean;
}

export interface Outcome {
  readonly ok: boolean;
  readonly changes: Changes;
  /** The stack's outputs, secrets as `[secret]`. */
  readonly outputs: Record<string, unknown>;
  /** One message an error, in the order in which they happened. */
  readonly errors: string[];
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
  dependencies?: string[];
  /** `<urn of the provider>::<its id>` */
  provider?: string;
  propertyDependencies?: Record<string, string[]>;
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

/** What the program wants a resource to be. `deletedWith` is the parent's if unset. */
export interface Goal extends Readonly<
  Omit<Resource, "urn" | "id" | "delete" | "outputs" | "provider">
> {
  readonly name: string;
  readonly inputs: Record<string, Value>;
}
