import { createCipheriv, createDecipheriv, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { EmbeddedError } from "./errors";

const tagBytes = 16; // Go's GCM puts the tag behind the ciphertext

/**
 * Pulumi's passphrase secrets provider: AES-256-GCM under a key that PBKDF2-SHA256 makes of the
 * passphrase in 1,000,000 rounds (pkg/secrets/passphrase and sdk/go/common/resource/config/crypt.go
 * of pulumi/pulumi).
 */
export class Passphrase {
  private constructor(
    private readonly key: Buffer,
    /** `v1:<salt>:<the word "pulumi", encrypted>`: what a state carries to check a passphrase. */
    readonly salt: string,
  ) {}

  static async make(passphrase: string): Promise<Passphrase> {
    const salt = randomBytes(8);
    const key = await deriveKey(passphrase, salt);
    return new Passphrase(key, `v1:${salt.toString("base64")}:${encrypt(key, "pulumi")}`);
  }

  /** @throws EmbeddedError when the passphrase is not the one that `salt` was made with */
  static async open(passphrase: string, salt: string): Promise<Passphrase> {
    const [version, bytes = "", ...check] = salt.split(":");
    const opened = new Passphrase(await deriveKey(passphrase, Buffer.from(bytes, "base64")), salt);
    try {
      if (version === "v1" && opened.decrypt(check.join(":")) === "pulumi") return opened;
    } catch {
      // the same answer as for a wrong word
    }
    throw new EmbeddedError(
      "The passphrase does not open this stack's state.",
      "Secrets in the state are encrypted with the passphrase that the stack was made with.",
      "Give the passphrase of the first run; if it is lost, delete by hand what the stack has made.",
      true,
    );
  }

  encrypt(text: string): string {
    return encrypt(this.key, text);
  }

  decrypt(ciphertext: string): string {
    const [version, nonce = "", sealed = ""] = ciphertext.split(":");
    if (version !== "v1") throw new Error(`unknown version of a secret: ${version}`);
    const bytes = Buffer.from(sealed, "base64");
    const decipher = createDecipheriv("aes-256-gcm", this.key, Buffer.from(nonce, "base64"));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    const text = decipher.update(bytes.subarray(0, -tagBytes), undefined, "utf8");
    return text + decipher.final("utf8");
  }
}

function deriveKey(passphrase: string, salt: Buffer): Promise<Buffer> {
  return promisify(pbkdf2)(passphrase, salt, 1_000_000, 32, "sha256");
}

function encrypt(key: Buffer, text: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return `v1:${nonce.toString("base64")}:${sealed.toString("base64")}`;
}
