/**
 * Property values as Pulumi's wire protocol writes them: JSON, where secrets, assets and resource
 * references are objects with a signature key and an unknown value is a fixed string
 * (sdk/go/common/resource/sig and plugin/rpc.go of pulumi/pulumi).
 */
export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };
export type Properties = Record<string, Value>;

export const signatureKey = "4dabf18193072939515e22adb298388d";
export const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
export const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Kinds that a Command cannot take here, by signature. */
const unsupported = new Map<unknown, string>([
  ["c44067f5952c0a294b673a41bacd8c17", "an asset"],
  ["0def7320c3a5731c473e5ecbe6d01bc7", "an archive"],
  ["5cf8f73096256a8f31e491e813e4eb8e", "a resource"],
  ["d0e6a833031e9bbcd3f4e8bde6ca49a4", "an output value"],
]);

export type SecretValue = { [signatureKey]: typeof secretSignature; value: Value };

export function isObject(value: unknown): value is { [key: string]: Value } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isSecret(value: Value | undefined): value is SecretValue {
  return isObject(value) && value[signatureKey] === secretSignature;
}

export function secret(value: Value): SecretValue {
  return { [signatureKey]: secretSignature, value };
}

function children(value: Value): Value[] {
  return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
}

export function containsSecret(value: Value): boolean {
  return isSecret(value) || children(value).some(containsSecret);
}

/** The name of the first thing inside that is neither plain data nor secret, such as `an asset`. */
export function unsupportedKind(value: Value): string | undefined {
  const kind = isObject(value) ? unsupported.get(value[signatureKey]) : undefined;
  return kind ?? children(value).map(unsupportedKind).find(Boolean);
}

export function mapValues<From, To>(values: Record<string, From>, change: (value: From) => To) {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]));
}

/** Replaces parts of a value, the outer ones first; a part for which `leaf` gives nothing stays. */
export function transform(value: Value, leaf: (part: Value) => Value | undefined): Value {
  const done = leaf(value);
  if (done !== undefined) return done;
  if (Array.isArray(value)) return value.map((item) => transform(item, leaf));
  return isObject(value) ? mapValues(value, (item) => transform(item, leaf)) : value;
}

/** The value with its secrets in clear. */
export function reveal(value: Value): Value {
  return transform(value, (item) => (isSecret(item) ? reveal(item.value) : undefined));
}

/** The value for people to see: `[secret]` and `[unknown]` in place of what must not or cannot show. */
export function redact(value: Value): Value {
  return transform(value, (item) =>
    isSecret(item) ? "[secret]" : item === unknownValue ? "[unknown]" : undefined,
  );
}
