import type { Alias } from "./types";

export const stackType = "pulumi:pulumi:Stack";

/** `dataset$command:local:Command`: the types of the chain of parents, the stack left out. */
export function qualifiedType(urn: string): string {
  return urn.split("::")[2] ?? "";
}

/** The type of the resource itself. */
export function typeOf(urn: string): string {
  return qualifiedType(urn).split("$").at(-1) ?? "";
}

export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** What the URNs of a stack's resources begin with. */
export function stackPrefix(stack: string, project: string): string {
  return `urn:pulumi:${stack}::${project}::`;
}

/** What a URN is made of; `parent` is the URN of the parent, if there is one. */
type Naming = Readonly<Record<"stack" | "project" | "type" | "name", string>> & {
  readonly parent?: string;
};

export function makeUrn({ stack, project, parent, type, name }: Naming): string {
  const parents = parent ? qualifiedType(parent) : "";
  const chain = parents && parents !== stackType ? `${parents}$${type}` : type;
  return `${stackPrefix(stack, project)}${chain}::${name}`;
}

/** The URN of a provider from the reference that resources carry. */
export function providerUrn(reference: string): string {
  return reference.slice(0, reference.lastIndexOf("::"));
}

/**
 * The URNs that a resource may have had, in the order in which they are tried
 * (generateAliases of pkg/resource/deploy/step_generator.go).
 *
 * @param parentWas of a URN in this program, the URN under which it was found in the state
 */
export function formerUrns(
  is: Naming,
  aliases: readonly Alias[],
  parentWas: ReadonlyMap<string, string>,
): string[] {
  const collapsed = aliases.map((alias) => {
    if (alias.urn) return alias.urn;
    const named = alias.parent ? (parentWas.get(alias.parent) ?? alias.parent) : is.parent;
    return makeUrn({
      stack: alias.stack || is.stack,
      project: alias.project || is.project,
      parent: alias.noParent ? "" : named,
      type: alias.type || is.type,
      name: alias.name || is.name,
    });
  });
  const { parent = "" } = is;
  const parentAlias = parentWas.get(parent);
  if (!parentAlias) return [...new Set(collapsed)];
  // Children are named after their parent by convention, so the child's old name follows.
  const inherited = (type: string, name: string) => {
    const rest = name.startsWith(nameOf(parent)) ? name.slice(nameOf(parent).length) : undefined;
    const old = rest === undefined ? name : nameOf(parentAlias) + rest;
    return makeUrn({ ...is, parent: parentAlias, type, name: old });
  };
  return [
    ...new Set([
      ...collapsed,
      inherited(is.type, is.name),
      ...collapsed.map((urn) => inherited(typeOf(urn), nameOf(urn))),
    ]),
  ];
}
