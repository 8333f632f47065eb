import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { stackFiles, writeOnce } from "../infra/stack/files";
import { Unfit } from "./errors";

/** The passphrase that encrypts a stack's secrets, and how the Pulumi CLI gets it. */
interface StackPassphrase {
  readonly text: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * The passphrase of `stack`: from Pulumi's own variables where the user set one, else from a file
 * in the stack folder that is made on first use, readable by this user alone.
 *
 * @throws Unfit when the user's file cannot be read
 */
export function stackPassphrase(stack: string): StackPassphrase {
  const { PULUMI_CONFIG_PASSPHRASE: given, PULUMI_CONFIG_PASSPHRASE_FILE: file } = process.env;
  if (given !== undefined) return { text: given, environment: {} };
  if (file) return { text: readGiven(file), environment: {} };
  const own = stackFiles(stack).passphrase;
  if (!fs.existsSync(own)) writeOnce(own, `${randomBytes(24).toString("base64url")}\n`);
  return {
    text: fs.readFileSync(own, "utf8").trim(),
    environment: { PULUMI_CONFIG_PASSPHRASE_FILE: own },
  };
}

function readGiven(file: string): string {
  try {
    return fs.readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new Unfit(
      `PULUMI_CONFIG_PASSPHRASE_FILE is ${file}: ${(error as Error).message}`,
      "the stack's secrets are encrypted with that passphrase",
      "set it to the right file, or unset it to use the one in the stack folder",
    );
  }
}
