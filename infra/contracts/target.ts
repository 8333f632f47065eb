import type { ChildProcess } from "node:child_process";
import type { Check, Context } from "./check";
import type { UserError } from "./errors";
import type { Cluster, Executor, Prepared, BucketPurpose, ObjectStore } from "./platform";

/** What settings depend on of this machine. */
export interface Machine {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** Where things run: all that is asked of a target. The last three load it. */
export interface Target<Settings> {
  /** The value of setting `target`. */
  readonly name: string;
  /** The page about it, relative to the checkout. */
  readonly docs: string;
  /** Why only the Pulumi CLI can deploy it. @default the embedded runner can, too */
  readonly needsCli?: string;
  /** What `auto` means for these settings. */
  readonly defaults: { readonly objectStore: string; readonly daftRunner: "native" | "ray" };
  /** Where the target starts no cluster: the settings that say where each is. */
  readonly addresses?: Readonly<Partial<Record<Cluster, keyof Settings & string>>>;
  /** Which settings do not go together here; what is wrong begins with a key. */
  rules(
    settings: Settings,
    facts: {
      readonly machine: Machine;
      readonly store: Pick<Store<Settings>, "name" | "external">;
    },
  ): readonly UserError[];
  /** Loads what the target needs, causes first: what comes later may be their effect. */
  checks(): Promise<{ readonly checks: readonly Check<Settings>[] }>;
  /** Loads what declares it, once nothing of {@link checks} is in the way; to prepare writes nothing. */
  platform(): Promise<{ prepare(context: Context<Settings>): Promise<Prepared<Settings>> }>;
  /** Loads how jobs run, and what they find there. */
  executor(): Promise<{ executor(stack: string): Executor; readonly services: Services }>;
}

export interface ServiceView {
  readonly name: string;
  /** In the words of what keeps it, e.g. RUNNING. */
  readonly state: string;
  /** Undefined when it does not run. */
  readonly pid?: number;
  /** Seconds since it was started last. */
  readonly uptime?: number;
  /** A page to look at. */
  readonly url?: string;
}

export interface Services {
  status(stack: string): Promise<ServiceView[]>;
  /** Starts an interactive shell next to the services, on this terminal. */
  shell(stack: string): ChildProcess;
  /** By the service's name. */
  logs(stack: string): ReadonlyMap<string, ServiceLog>;
}

/** A log is a file, or what a command such as `docker logs` prints. */
export type ServiceLog =
  | { readonly file: string }
  | { readonly command: (lines: number, follow: boolean) => ChildProcess };

/** Where buckets are: all that is asked of a kind of object store. Members load what they need. */
export interface Store<Settings, Credentials = unknown> {
  /** The value of setting `objectStore`. */
  readonly name: string;
  /** The page about it, relative to the checkout. */
  readonly docs: string;
  /** Whether it is somewhere else: otherwise the target starts it beside the other services. */
  readonly external: boolean;
  /** The Pulumi providers that it needs: `aws` of `@pulumi/aws`. @default none */
  readonly providers?: readonly string[];
  /** Which settings do not go together with it; what is wrong begins with a key. */
  rules(settings: Settings): readonly UserError[];
  /**
   * Looks at an external store; writes nothing.
   *
   * @returns what declares it
   * @throws UserError with what is in the way
   */
  prepare?(context: Context<Settings>): Promise<(credentials: Credentials) => ObjectStore>;
  /**
   * Looks at data that was there before the stack. @default the store cannot have such data
   *
   * @returns a hash that changes when any object does
   * @throws UserError where there is nothing, or the stack itself has put it there
   */
  existing?(
    settings: Settings,
    purpose: BucketPurpose,
    prefixes: readonly string[],
  ): Promise<{ readonly hash: string }>;
}

/**
 * Loads a module of this project when it is needed. Commands and steps read TypeScript by `require`
 * alone (infra/host/typeScript.cjs); tests know `import()` alone.
 *
 * @param from the module that asks: its `module`
 * @param name of what is loaded, as in `byImport`
 */
export async function load<Loaded>(
  from: NodeModule,
  name: string,
  byImport: () => Promise<Loaded>,
): Promise<Loaded> {
  const readsTypeScript = ".ts" in require.extensions;
  return readsTypeScript ? (from.require(name) as Loaded) : byImport();
}
