import { X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../stack/files";
import { checkout } from "../host/folders";
import { UserError } from "../contracts/errors";

/**
 * Reads a PEM file of certificates, relative to the checkout or absolute.
 *
 * @returns the certificates alone, so that a key that lies in the same file goes nowhere
 * @throws UserError where there is none, or one that cannot be read
 */
export function readCertificates(file: string): string {
  const wrong = (problem: string) =>
    new UserError(
      `s3CaCertificates is ${JSON.stringify(file)}: ${problem}`,
      "the object store's certificate is checked by it",
      "set it to a PEM file with the certificate of the authority that signed the store's",
    );
  let text: string;
  try {
    text = fs.readFileSync(path.resolve(checkout, file), "utf8");
  } catch (error) {
    throw wrong((error as Error).message);
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw wrong("it has no certificate");
  for (const [at, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch (error) {
      throw wrong(`its certificate ${at + 1} is none (${(error as Error).message})`);
    }
  }
  return blocks.map((block) => `${block}\n`).join("");
}

/** Identity of what {@link readCertificates} gave. */
export function certificatesHash(text: string): string {
  return shortHash(text);
}
