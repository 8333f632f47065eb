import * as fs from "node:fs";
import { places } from "./places";

/** What the stack's services are protected by. */
export interface Credentials {
  readonly minioRootUser: string;
  readonly minioRootPassword: string;
  readonly sparkSecret: string;
  readonly rayToken: string;
  /** How often they changed; services restart when it does. */
  readonly generation: number;
}

/** The stack's credentials, or undefined where there are none yet. */
export function readCredentials(stack: string): Credentials | undefined {
  try {
    return JSON.parse(fs.readFileSync(places(stack).credentials, "utf8")) as Credentials;
  } catch {
    return undefined;
  }
}
