import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { text } from "node:stream/consumers";
import { readJson, stackFiles, writeJson, writeWhole } from "./files";
import { readStepRecord } from "./records";
import type { StepVerbs, StepContext } from "./runStep";

export interface Credentials {
  readonly minioRootUser: string;
  readonly minioRootPassword: string;
  readonly sparkSecret: string;
  readonly rayToken: string;
  /** Of a store that is not the stack's own. */
  readonly s3AccessKey?: string;
  readonly s3SecretKey?: string;
  readonly generations: Generations;
}

export type SecretOwner = "minio" | "spark" | "ray" | "s3";

/** How often each one's secret changed; its services restart when it does. */
export type Generations = Readonly<Record<Exclude<SecretOwner, "s3">, number>> & {
  /** Where there is such a store. */
  readonly s3?: number;
};

/** The stack's credentials, or undefined where there are none yet. */
export function readCredentials(stack: string): Credentials | undefined {
  return readJson(stackFiles(stack).credentials);
}

/** What stdin holds: what the settings gave, and nothing for what is to be random. */
export type Given = Partial<Omit<Credentials, "generations">>;

/** Keeps the stack's secrets in files for its user alone; prints only how often each changed. */
export const credentialsVerbs = {
  async create(context) {
    const given = JSON.parse((await text(process.stdin)) || "{}") as Given;
    return { generations: keep(context, given) };
  },
  async delete({ stack }) {
    const { credentials, rayToken, sparkSecret } = stackFiles(stack);
    for (const file of [credentials, rayToken, sparkSecret]) fs.rmSync(file, { force: true });
  },
} satisfies StepVerbs<unknown>;

const secretsOf: Readonly<Record<SecretOwner, readonly (keyof Given)[]>> = {
  minio: ["minioRootUser", "minioRootPassword"],
  spark: ["sparkSecret"],
  ray: ["rayToken"],
  s3: ["s3AccessKey", "s3SecretKey"],
};

function keep({ stack, name }: StepContext<unknown>, given: Given): Generations {
  const files = stackFiles(stack);
  fs.mkdirSync(files.root, { recursive: true, mode: 0o700 });
  fs.chmodSync(files.root, 0o700);
  const before: Partial<Credentials> = readCredentials(stack) ?? {};
  const now = {
    minioRootUser: given.minioRootUser ?? before.minioRootUser ?? `ec${secret(8)}`,
    minioRootPassword: given.minioRootPassword ?? before.minioRootPassword ?? secret(20),
    sparkSecret: given.sparkSecret ?? before.sparkSecret ?? secret(32),
    rayToken: given.rayToken ?? before.rayToken ?? secret(32),
    s3AccessKey: given.s3AccessKey,
    s3SecretKey: given.s3SecretKey,
  };
  const recorded = readStepRecord(stack, name)?.result.generations as Generations | undefined;
  const generationOf = (owner: SecretOwner) => {
    const last = Math.max(before.generations?.[owner] ?? 0, recorded?.[owner] ?? 0);
    return secretsOf[owner].some((name) => now[name] !== before[name]) ? last + 1 : last;
  };
  const generations = {
    minio: generationOf("minio"),
    spark: generationOf("spark"),
    ray: generationOf("ray"),
    ...(given.s3AccessKey === undefined ? {} : { s3: generationOf("s3") }),
  };
  writeWhole(files.rayToken, now.rayToken);
  writeWhole(files.sparkSecret, now.sparkSecret);
  writeJson(files.credentials, { ...now, generations });
  return generations;
}

function secret(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
