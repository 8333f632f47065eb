import { readJson, stackFiles } from "./files";

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

/** The stack's credentials, or undefined where there are none yet. */
export function readCredentials(stack: string): Credentials | undefined {
  return readJson(stackFiles(stack).credentials);
}
