import { isDeepStrictEqual } from "node:util";
import { compact, type State } from "./state";
import type { Operation, Resource } from "./types";

interface Effect {
  readonly made?: Resource;
  readonly gone?: Resource;
}

/**
 * The state during a deployment: first what this run has made or registered, in that order, then
 * what is left of the state before. Each step is noted as pending before it starts
 * (pkg/backend/snapshot.go of pulumi/pulumi).
 */
export class Snapshot {
  private readonly base: readonly Resource[];
  private readonly made: Resource[] = [];
  private readonly gone = new Set<Resource>();
  private readonly pending = new Set<Operation>();
  private dirty: boolean;

  constructor(
    before: State,
    private readonly write: (state: State) => void,
  ) {
    this.base = before.resources;
    this.dirty = before.pending.length > 0; // reported by now, and not kept
  }

  /** Carries out a step, noted as pending until it has succeeded or failed. */
  async during(
    type: Operation["type"],
    resource: Resource,
    work: () => Promise<Effect>,
  ): Promise<void> {
    const operation = { type, resource: { ...resource } };
    this.pending.add(operation);
    this.save();
    try {
      this.note(await work());
    } finally {
      this.pending.delete(operation);
      this.save();
    }
  }

  /** Notes an effect; it is written with the next step if anything about it is new. */
  note({ made, gone }: Effect): void {
    if (gone) this.gone.add(gone);
    if (made) this.made.push(made);
    this.dirty ||= !made || !gone || !isDeepStrictEqual(compact(gone), compact(made));
  }

  /** Something in a resource was changed from outside. */
  touch(): void {
    this.dirty = true;
  }

  /** Writes what is not on disk yet. */
  flush(): void {
    if (this.dirty) this.save();
  }

  private save(): void {
    const resources = [...this.made, ...this.base].filter((resource) => !this.gone.has(resource));
    this.write({ resources, pending: [...this.pending] });
    this.dirty = false;
  }
}
