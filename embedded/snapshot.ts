import { isDeepStrictEqual } from "node:util";
import { compact, type State } from "./state";
import type { Operation, Resource } from "./types";
import { providerUrn } from "./urn";

/** What a step has done to the state. */
interface Effect {
  readonly made?: Resource;
  readonly gone?: Resource;
}

/**
 * The state while a deployment goes on: first what this run has made or seen, in the order in
 * which it was done, then what is left of the state before. Each step is noted before it starts
 * (pkg/backend/snapshot.go of pulumi/pulumi).
 */
export class Snapshot {
  private readonly base: readonly Resource[];
  private readonly made: Resource[] = [];
  private readonly gone = new Set<Resource>();
  private readonly pending = new Set<Operation>();
  private dirty: boolean;

  /**
   * @param renamedTo the URN that a resource has now, of those that it had in the state
   * @param write puts a state on disk
   */
  constructor(
    before: State,
    private readonly renamedTo: ReadonlyMap<string, string>,
    private readonly write: (state: State) => void,
  ) {
    this.base = before.resources;
    this.dirty = before.pending.length > 0; // told, and not kept
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
    let effect: Effect = {};
    try {
      effect = await work();
    } finally {
      this.pending.delete(operation);
      this.apply(effect);
      this.save();
    }
  }

  /** Notes a resource that stays; written with the next step if anything about it is new. */
  keep(old: Resource, now: Resource): void {
    this.apply({ gone: old, made: now });
    this.dirty ||= !isDeepStrictEqual(compact(old), compact(now));
  }

  forget(old: Resource): void {
    this.apply({ gone: old });
    this.dirty = true;
  }

  /** Something in a resource was changed from outside. */
  touch(): void {
    this.dirty = true;
  }

  /** Writes what is not on disk yet. */
  flush(): void {
    if (this.dirty) {
      this.save();
    }
  }

  private apply({ made, gone }: Effect): void {
    if (gone) {
      this.gone.add(gone);
    }
    if (made) {
      this.made.push(made);
    }
  }

  private save(): void {
    const resources = [...this.made, ...this.base].filter((resource) => !this.gone.has(resource));
    this.write({
      resources: resources.map((resource) => this.renamed(resource)),
      pending: [...this.pending],
    });
    this.dirty = false;
  }

  /** References of what has not been registered yet follow a resource that was renamed. */
  private renamed(resource: Resource): Resource {
    if (!this.renamedTo.size) {
      return resource;
    }
    const now = (urn: string) => this.renamedTo.get(urn) ?? urn;
    const properties = Object.entries(resource.propertyDependencies ?? {});
    const provider = providerUrn(resource.provider ?? "");
    return {
      ...resource,
      urn: now(resource.urn),
      parent: resource.parent && now(resource.parent),
      deletedWith: resource.deletedWith && now(resource.deletedWith),
      dependencies: resource.dependencies?.map(now),
      propertyDependencies: Object.fromEntries(
        properties.map(([name, urns]) => [name, urns.map(now)]),
      ),
      provider: resource.provider && now(provider) + resource.provider.slice(provider.length),
    };
  }
}
