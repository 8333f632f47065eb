import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readCertificates } from "../../../infra/stores/access";
import { Authority } from "../../certificates";

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "ec-ca-"))));
afterEach(() => fs.rmSync(folder, { recursive: true }));

function file(text: string): string {
  const name = path.join(folder, "ca.pem");
  fs.writeFileSync(name, text);
  return name;
}

it("reads a bundle's certificates, and nothing else that is in the file", () => {
  const [one, two] = [new Authority("one"), new Authority("two")];
  const { key } = one.server("127.0.0.1");
  const bundle = `# authorities\n${one.certificate}${key}${two.certificate}`;
  expect(readCertificates(file(bundle))).toBe(one.certificate + two.certificate);
});

it.each([
  ["no file", undefined, "ENOENT"],
  ["no certificate", "hello", "it has no certificate"],
  [
    "one that is none",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "certificate 1 is not valid",
  ],
])("refuses %s", (_, text, told) => {
  const name = text === undefined ? path.join(folder, "none.pem") : file(text);
  expect(() => readCertificates(name)).toThrow(told);
});
