type Resource = Record<string, unknown>;

/** Left out: what two runs of the same engine do not share, and what only the real engine notes. */
const DROPPED = ["id", "created", "modified", "sourcePosition", "stackTrace"];

/** A deployment so that two engines' can be compared: sorted, without ids and times. */
export function normalise(exported: unknown): unknown {
  const { resources = [], pending_operations: pending = [] } = (
    exported as { deployment: { resources?: Resource[]; pending_operations?: unknown[] } }
  ).deployment;
  return {
    resources: resources.map(resource).sort((a, b) => key(a).localeCompare(key(b))),
    pending: pending.length,
  };
}

const key = (resource: Resource) => `${String(resource.urn)} ${String(resource.delete)}`;

function resource(given: Resource): Resource {
  const kept = Object.entries(given).filter(([name]) => !DROPPED.includes(name));
  const found: Resource = Object.fromEntries(kept);
  if (typeof found.provider === "string") {
    found.provider = found.provider.slice(0, found.provider.lastIndexOf("::"));
  }
  if (found.type === "pulumi:providers:command") {
    delete found.inputs;
    delete found.outputs;
  }
  if (Array.isArray(found.dependencies)) {
    found.dependencies = [...(found.dependencies as string[])].sort();
  }
  const properties = Object.entries((found.propertyDependencies ?? {}) as Record<string, string[]>);
  if (properties.length) {
    found.propertyDependencies = Object.fromEntries(
      properties.map(([name, urns]) => [name, [...(urns ?? [])].sort()]),
    );
  }
  return found;
}
