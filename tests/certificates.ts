import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";

/** A certificate and its private key, as PEM. */
export interface Signed {
  readonly certificate: string;
  readonly key: string;
}

/** An authority of the tests' own, which nobody trusts unless told to. */
export class Authority {
  private readonly keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  readonly certificate: string;

  constructor(private readonly name = "tests' own authority") {
    this.certificate = this.sign(this.name, this.keys.publicKey, ofAuthorities);
  }

  /** The authority's own certificate, for an address of IPv4, too. */
  itself(address: string): Signed {
    const extensions = [...ofAuthorities, extension(subjectAltName, false, sequence(ip(address)))];
    return {
      certificate: this.sign(this.name, this.keys.publicKey, extensions),
      key: this.keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    };
  }

  /** A server's certificate, for an address of IPv4. */
  server(address: string): Signed {
    const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return {
      certificate: this.sign("server", keys.publicKey, [
        extension(subjectAltName, false, sequence(ip(address))),
      ]),
      key: keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    };
  }

  /** X.509 by RFC 5280, for two days, as PEM. */
  private sign(subject: string, key: KeyObject, extensions: Buffer[]): string {
    const day = 86_400_000;
    const body = sequence(
      tagged(0xa0, integer(2)),
      integer(2 ** 24 + Math.floor(Math.random() * 2 ** 29)),
      ecdsaWithSha256,
      commonName(this.name),
      sequence(utcTime(Date.now() - day), utcTime(Date.now() + day)),
      commonName(subject),
      key.export({ type: "spki", format: "der" }),
      tagged(0xa3, sequence(...extensions)),
    );
    const signature = sign("sha256", body, this.keys.privateKey);
    const der = sequence(body, ecdsaWithSha256, tagged(0x03, Buffer.from([0]), signature));
    const lines = der.toString("base64").match(/.{1,64}/g)!;
    return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
  }
}

/** DER: a tag, the length of what follows, and that. */
function tagged(tag: number, ...content: Buffer[]): Buffer {
  const all = Buffer.concat(content);
  const size =
    all.length < 0x80
      ? [all.length]
      : all.length < 0x100
        ? [0x81, all.length]
        : [0x82, all.length >> 8, all.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), all]);
}

const sequence = (...content: Buffer[]) => tagged(0x30, ...content);
const oid = (hex: string) => tagged(0x06, Buffer.from(hex, "hex"));

const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));
const basicConstraints = oid("551d13");
const keyUsage = oid("551d0f");
const subjectAltName = oid("551d11");

const ofAuthorities = [
  extension(basicConstraints, true, sequence(Buffer.from([0x01, 0x01, 0xff]))),
  extension(keyUsage, true, Buffer.from([0x03, 0x02, 0x01, 0x06])),
];

const ip = (address: string) => tagged(0x87, Buffer.from(address.split(".").map(Number)));

function integer(value: number): Buffer {
  const hex = value.toString(16).padStart(2, "0");
  return tagged(0x02, Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex"));
}

function commonName(name: string): Buffer {
  const text = tagged(0x0c, Buffer.from(name));
  return sequence(tagged(0x31, sequence(oid("550403"), text)));
}

function utcTime(at: number): Buffer {
  const text = new Date(at).toISOString().replace(/[-:T]|\.\d+/g, "");
  return tagged(0x17, Buffer.from(text.slice(2)));
}

function extension(id: Buffer, critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [Buffer.from([0x01, 0x01, 0xff])] : [];
  return sequence(id, ...flag, tagged(0x04, value));
}
