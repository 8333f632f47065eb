import type { Outcome, Resource, StepEvent } from "../../embedded";
import type { Configuration } from "../config";
import type { Project } from "../project";

export type { Changes, Outcome, PropertyDiff, StepEvent, StepOp } from "../../embedded";

export interface Watch {
  readonly onEvent: (event: StepEvent) => void;
  /** Aborted: no new step starts. */
  readonly stop: AbortSignal;
  /** Aborted: what runs is ended too. */
  readonly kill: AbortSignal;
}

export type StateResource = Pick<Resource, "urn" | "type">;

export interface RunnerArgs {
  readonly project: Project;
  readonly stack: string;
  readonly configuration: Configuration;
}

/** What deploys a stack: the Pulumi CLI or the embedded runner. */
export interface Runner {
  readonly name: "pulumi" | "embedded";
  /**
   * Makes the stack what the program says, going on with what does not depend on a failed step.
   *
   * @param replace URNs to replace although nothing about them has changed
   */
  up(watch: Watch, replace?: readonly string[]): Promise<Outcome>;
  /** Tells by events what {@link up} would do, and what the program declares. */
  preview(onEvent: Watch["onEvent"]): Promise<Outcome>;
  destroy(watch: Watch): Promise<Outcome>;
  refresh(watch: Watch): Promise<Outcome>;
  /** The outputs of the last up, secrets as `[secret]`; empty where there are none. */
  outputs(): Promise<Record<string, unknown>>;
  resources(): Promise<readonly StateResource[]>;
}
