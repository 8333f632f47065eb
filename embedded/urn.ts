export const stackType = "pulumi:pulumi:Stack";

/** `dataset$command:local:Command`: the types of the chain of parents, the stack left out. */
export function qualifiedType(urn: string): string {
  return urn.split("::")[2] ?? "";
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
