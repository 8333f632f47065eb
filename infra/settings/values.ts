import * as z from "zod";
import type { BucketNames } from "../contracts/platform";
import { bucketNameRule, bucketPurposes, isBucketName } from "./bucketNames";
import { quoted } from "../contracts/errors";

/** The roles of target docker's containers. */
export const containerRoles = [
  "minio",
  "spark-master",
  "spark-worker",
  "ray-head",
  "ray-worker",
  "app",
] as const;
export type ContainerRole = (typeof containerRoles)[number];

/** A size; in bytes. */
export const memory = z
  .string()
  .regex(/^[1-9]\d*[mg]$/, "must be a size such as 1536m or 2g")
  .transform((text) => Number(text.slice(0, -1)) * (text.endsWith("g") ? 2 ** 30 : 2 ** 20));

/** A whole number from `least` to `most`. */
export const count = (least: number, most: number) =>
  z
    .string()
    .regex(/^-?\d+$/, "must be a whole number")
    .transform(Number)
    .refine((n) => n >= least && n <= most, `must be from ${least} to ${most}`);

/** A list of names as JSON; whether there are such things, those who have them know. */
export const names = z.string().transform((text, context): string[] => {
  const list = z.array(z.string().min(1)).safeParse(parseJson(text));
  if (list.success && new Set(list.data).size === list.data.length) return list.data;
  context.addIssue("must be a list of different names");
  return z.NEVER;
});

/** A map from the roles of containers to values, as JSON; a role that is not in it has no value. */
export const byRole = <Schema extends z.ZodType<unknown, string>>(value: Schema) =>
  z.string().transform((text, context): Partial<Record<ContainerRole, z.output<Schema>>> => {
    const entries = z.partialRecord(z.enum(containerRoles), z.coerce.string().pipe(value));
    const map = entries.safeParse(parseJson(text));
    if (map.success) return map.data;
    const [first] = map.error.issues;
    context.addIssue(
      first.path.length > 0 && first.code !== "unrecognized_keys"
        ? `${first.message} for ${String(first.path[0])}`
        : `must be an object with some of the keys ${containerRoles.join(", ")}`,
    );
    return z.NEVER;
  });

/** A share of CPUs. */
export const cpus = z
  .string()
  .regex(/^\d+(\.\d{1,2})?$/, "must be a number of CPUs such as 2 or 1.5")
  .transform(Number)
  .refine((n) => n >= 0.1, "must be at least 0.1 CPUs");

/** A map from what buckets are for to their names, as JSON. */
export const bucketNames = z.string().transform((text, context): Partial<BucketNames> => {
  const map = z.partialRecord(z.enum(bucketPurposes), z.string()).safeParse(parseJson(text));
  const names = map.success ? Object.values(map.data) : [];
  if (map.success && names.every(isBucketName)) return map.data;
  const wrong = names.find((name) => !isBucketName(name));
  context.addIssue(
    wrong === undefined
      ? `must be an object with some of the keys ${bucketPurposes.join(", ")}`
      : `has ${quoted(wrong)}, and ${bucketNameRule}`,
  );
  return z.NEVER;
});

/** Whether a key of Spark's configuration may be passed on: it is no secret, and not the program's. */
export function isFurtherConf(key: string): boolean {
  return (
    /^spark\.[\w.-]+$/.test(key) &&
    !/^spark\.(master|authenticate|driver\.(host|port|bindAddress)|hadoop\.fs\.s3a)\b/.test(key) &&
    !/secret|password|token|credential|(access|secret)\.?key/i.test(key)
  );
}

/** What has no value of its own until a target or a stack gives it one. */
export const optional = z.string().transform((text) => (text === "" ? undefined : text));

/** A key or token: it goes into headers and into files that are read line by line. */
export const secret = optional.refine(
  (text) => text === undefined || /^\P{Cc}+$/u.test(text),
  "must be without line breaks and other control characters",
);

/** What a text in JSON says; undefined for any other text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
