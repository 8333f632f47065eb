import type { Resource } from "./types";
import { providerUrn } from "./urn";

type Resources = readonly Resource[];

/**
 * What depends on what within a state. A state is a list in which everything comes after what it
 * depends on; a URN occurs twice while a replacement's old half waits for its delete.
 * Follows pkg/resource/graph/dependency_graph.go of pulumi/pulumi.
 */
export function dependencyUrns(resource: Resource): Set<string> {
  const urns = [
    resource.parent,
    ...(resource.dependencies ?? []),
    ...Object.values(resource.propertyDependencies ?? {}).flat(),
    resource.deletedWith,
    resource.provider ? providerUrn(resource.provider) : undefined,
  ];
  return new Set(urns.filter((urn): urn is string => !!urn));
}

/** The resources that `resource` directly depends on, its parent included. */
function dependencies(resource: Resource, state: Resources): Resource[] {
  const urns = dependencyUrns(resource);
  // To depend on a component is to depend on those of its children that come before.
  const components = new Set<string>();
  return state.slice(0, state.indexOf(resource)).filter(({ urn, custom, parent = "" }) => {
    const inside = components.has(parent);
    if (inside || (urns.has(urn) && !custom && urn !== resource.parent)) components.add(urn);
    return inside || urns.has(urn);
  });
}

/** All that `resource` depends on, also by way of others. */
export function allDependencies(resource: Resource, state: Resources): Set<Resource> {
  const found = new Set<Resource>();
  const visit = (from: Resource) => {
    for (const urn of dependencyUrns(from)) {
      const twins = state.filter((candidate) => candidate.urn === urn);
      const alike = twins.filter((twin) => !!twin.delete === !!from.delete);
      const next = (alike.length ? alike : twins).at(-1);
      if (next && next !== resource && !found.has(next)) {
        found.add(next);
        visit(next);
      }
    }
  };
  visit(resource);
  return found;
}

/**
 * Groups of resources to delete: those of one group at the same time, a group after the one
 * before, dependents first.
 */
export function deletionOrder(resources: Resources, state: Resources): Resource[][] {
  const left = new Set(resources);
  const groups: Resource[][] = [];
  while (left.size) {
    const free = [...left].filter(
      (resource) => !dependencies(resource, state).some((needed) => left.has(needed)),
    );
    free.forEach((resource) => left.delete(resource));
    groups.unshift(free);
  }
  return groups;
}
