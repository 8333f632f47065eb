import type { PropertyDiff } from "./types";
import { containsSecret, isObject, isSecret, redact, unknownValue, type Value } from "./values";

export type Path = (string | number)[];
export interface Difference {
  readonly path: Path;
  readonly kind: PropertyDiff["kind"];
  readonly old?: Value;
  readonly new?: Value;
}

/**
 * The leaves in which two values differ, as Pulumi's PropertyValue.Diff finds them: secrets and
 * unknown values are leaves, and a property that is null equals one that is missing.
 */
export function differences(
  old: Value | undefined = null,
  now: Value | undefined = null,
  path: Path = [],
): Difference[] {
  if (old === now) return [];
  if (old === null) return [{ path, kind: "add", new: now }];
  if (now === null) return [{ path, kind: "delete", old }];
  let inside: Difference[] | undefined;
  if (Array.isArray(old) && Array.isArray(now)) {
    // Unlike a property that is null, an item that is null differs from one that is missing.
    inside = (old.length > now.length ? old : now).flatMap((item, i): Difference[] => {
      const at = [...path, i];
      if (i >= old.length) return [{ path: at, kind: "add", new: item }];
      if (i >= now.length) return [{ path: at, kind: "delete", old: item }];
      return differences(old[i], now[i], at);
    });
  } else if (isObject(old) && isObject(now)) {
    const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
    inside = keys.flatMap((key) => differences(old[key], now[key], [...path, key]));
    if (inside.length && (isSecret(old) || isSecret(now))) inside = undefined;
  }
  return inside ?? [{ path, kind: "update", old, new: now }];
}

/** Such as `a.b[0]["c d"]`. */
export function formatPath(path: Path): string {
  const steps = path.map((step, i) => {
    const plain = typeof step === "string" && /^[A-Za-z_][\w-]*$/.test(step);
    return plain ? (i ? "." : "") + step : `[${JSON.stringify(step)}]`;
  });
  return steps.join("");
}

/** The value inside a string that holds a JSON object or list. */
function parsedJson(value: Value | undefined): Value | undefined {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return undefined;
  try {
    return JSON.parse(value) as Value;
  } catch {
    return undefined;
  }
}

/** For people: strings that hold JSON on both sides are compared inside. */
export function describeDifferences(found: readonly Difference[]): PropertyDiff[] {
  return found.flatMap(({ path, kind, old, new: now }): PropertyDiff[] => {
    const [was, is] = [parsedJson(old), parsedJson(now)];
    const inner = was !== undefined && is !== undefined ? differences(was, is, path) : [];
    if (inner.length) return describeDifferences(inner);
    // If one side is secret, the other may be the same text in clear.
    const hide = containsSecret(old ?? null) || containsSecret(now ?? null);
    const shown = (value: Value) => (hide && value !== unknownValue ? "[secret]" : redact(value));
    return [
      {
        path: formatPath(path),
        kind,
        ...(old !== undefined && { old: shown(old) }),
        ...(now !== undefined && { new: shown(now) }),
      },
    ];
  });
}
