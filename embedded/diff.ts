import type { PropertyDiff } from "./types";
import { containsSecret, equal, isObject, isSecret, redact, UNKNOWN, type Value } from "./values";

export type Path = (string | number)[];
export interface Difference {
  readonly path: Path;
  readonly kind: PropertyDiff["kind"];
  readonly old?: Value;
  readonly new?: Value;
}

const present = (value: Value | undefined): value is Value => value !== undefined && value !== null;

/**
 * The leaves in which two values differ, as Pulumi's PropertyValue.Diff finds them: secrets and
 * unknown values are leaves.
 */
export function differences(
  old: Value | undefined,
  now: Value | undefined,
  at: Path = [],
): Difference[] {
  if (equal(old, now)) {
    return [];
  }
  if (Array.isArray(old) && Array.isArray(now)) {
    const length = Math.max(old.length, now.length);
    return Array.from({ length }, (_, i) => differences(old[i], now[i], [...at, i])).flat();
  }
  if (isObject(old) && isObject(now) && !isSecret(old) && !isSecret(now)) {
    const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
    return keys.flatMap((key) => differences(old[key], now[key], [...at, key]));
  }
  if (!present(old)) {
    return [{ path: at, kind: "add", new: now ?? null }];
  }
  return present(now)
    ? [{ path: at, kind: "update", old, new: now }]
    : [{ path: at, kind: "delete", old }];
}

/** `a.b[0]["c d"]` and `a[*]` as steps; `*` stands for any one step. */
export function parsePath(path: string): Path {
  const steps = path.match(/\["(?:[^"\\]|\\.)*"\]|\[\d+\]|\[\*\]|[^.[\]]+/g) ?? [];
  return steps.map((step) => {
    const inner = step.startsWith("[") ? step.slice(1, -1) : step;
    if (inner.startsWith('"')) {
      return JSON.parse(inner) as string;
    }
    return step.startsWith("[") && inner !== "*" ? Number(inner) : inner;
  });
}

/** Whether a change at `path` falls under one of the `replaceOnChanges` patterns. */
export function covers(patterns: readonly string[], path: Path): boolean {
  return patterns
    .map(parsePath)
    .some(
      (pattern) =>
        pattern.length <= path.length &&
        pattern.every((step, i) => step === "*" || step === path[i]),
    );
}

export function formatPath(path: Path): string {
  return path
    .map((step, i) => {
      if (typeof step === "number") {
        return `[${step}]`;
      }
      return /^[A-Za-z_][\w-]*$/.test(step) ? (i ? "." : "") + step : `[${JSON.stringify(step)}]`;
    })
    .join("");
}

function parsedJson(value: Value | undefined): Value | undefined {
  if (typeof value !== "string" || value === UNKNOWN || !/^\s*[[{]/.test(value)) {
    return undefined;
  }
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
    if (was !== undefined && is !== undefined) {
      const inner = differences(was, is, path);
      if (inner.length) {
        return describeDifferences(inner);
      }
    }
    // One side secret makes both secret: the other may be the same text laid open.
    const hide = containsSecret(old ?? null) || containsSecret(now ?? null);
    const shown = (value: Value) => (hide && value !== UNKNOWN ? "[secret]" : redact(value));
    return [
      {
        path: formatPath(path),
        kind,
        ...(old === undefined ? {} : { old: shown(old) }),
        ...(now === undefined ? {} : { new: shown(now) }),
      },
    ];
  });
}
