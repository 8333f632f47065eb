import * as fs from "node:fs";
import * as path from "node:path";
import { stackFolder } from "../host/folders";

/** What the stack's services are protected by. */
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

/** Whose secret it is. */
export type SecretOwner = "minio" | "spark" | "ray" | "s3";

/** How often each one's secret changed; its services restart when it does. */
export type Generations = Readonly<Record<Exclude<SecretOwner, "s3">, number>> & {
  /** Where there is such a store. */
  readonly s3?: number;
};

/** Where they are kept, each for this user alone. */
export function credentialFiles(stack: string) {
  const at = (name: string) => path.join(stackFolder(stack), name);
  return {
    /** All of them, as JSON. */
    all: at("credentials.json"),
    /** The bare token of the Ray cluster. */
    rayToken: at("ray-token"),
    /** The bare secret of the Spark cluster. */
    sparkSecret: at("spark-secret"),
  } as const;
}

/** The stack's credentials, or undefined where there are none yet. */
export function readCredentials(stack: string): Credentials | undefined {
  try {
    return JSON.parse(fs.readFileSync(credentialFiles(stack).all, "utf8")) as Credentials;
  } catch {
    return undefined;
  }
}
