import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { exportState, refresh, type StepEvent } from "../../../cli/embedded";
import { UserError } from "../../../infra/userError";
import { Passphrase } from "../../../cli/embedded/secrets";
import {
  backupPath,
  decryptState,
  readDeployment,
  statePath,
  writeState,
  type State,
} from "../../../cli/embedded/state";
import { secret } from "../../../cli/embedded/values";

describe("the passphrase", () => {
  // Written by the Pulumi CLI 3.248.0.
  const salt = "v1:MRJ1iWu+DYc=:v1:Oj76+MN5vtH9YM/v:P4QjcDVpqQSooEva3/8OztkXqypovQ==";
  const ciphertext = "v1:XC7yghZ+pmleqrc4:/GIq2Ie54nZ6m1yPKuXwOOtENvr1aQswiA==";

  it("opens what the Pulumi CLI has encrypted", async () => {
    const opened = await Passphrase.open("open sesame", salt);
    expect(opened.decrypt(ciphertext)).toBe('{"A":"b"}');
  });

  it("is refused when it is another one", async () => {
    await expect(Passphrase.open("wrong", salt)).rejects.toThrow(UserError);
    await expect(Passphrase.open("open sesame", "v2:x")).rejects.toThrow(UserError);
  });

  it("encrypts each time anew and opens what it encrypted", async () => {
    const made = await Passphrase.make("pässword");
    const reopened = await Passphrase.open("pässword", made.salt);
    const [one, two] = [made.encrypt("häuser"), made.encrypt("häuser")];
    expect(one).not.toBe(two);
    expect([reopened.decrypt(one), reopened.decrypt(two)]).toEqual(["häuser", "häuser"]);
  });
});

describe("the state on disk", () => {
  let folder: string;
  let passphrase: Passphrase;
  const state = (word: string): State => ({
    resources: [
      { urn: "urn:pulumi:s::p::t:t:A::a", type: "t:t:A", custom: false, outputs: {} },
      {
        urn: "urn:pulumi:s::p::t:t:B::b",
        type: "t:t:B",
        custom: true,
        id: "b1",
        inputs: { word, list: [secret({ deep: word })], nothing: null },
        dependencies: ["urn:pulumi:s::p::t:t:A::a"],
        protect: false,
      },
    ],
    pending: [],
  });

  beforeAll(async () => {
    passphrase = await Passphrase.make("word");
  });
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(tmpdir(), "state-"));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  it("comes back as it was written, secrets encrypted in between", () => {
    writeState(folder, state("tell nobody"), passphrase);
    const text = fs.readFileSync(statePath(folder), "utf8");
    expect(text.match(/tell nobody/g)).toHaveLength(1);
    expect(decryptState(readDeployment(folder), passphrase).resources[1]).toEqual({
      urn: "urn:pulumi:s::p::t:t:B::b",
      type: "t:t:B",
      custom: true,
      id: "b1",
      inputs: { word: "tell nobody", list: [secret({ deep: "tell nobody" })], nothing: null },
      dependencies: ["urn:pulumi:s::p::t:t:A::a"],
    });
    expect(fs.statSync(statePath(folder)).mode & 0o777).toBe(0o600);
  });

  it("keeps the one before as a backup and leaves nothing else behind", () => {
    writeState(folder, state("one"), passphrase);
    const first = fs.readFileSync(statePath(folder), "utf8");
    writeState(folder, state("two"), passphrase);
    expect(fs.readFileSync(backupPath(folder), "utf8")).toBe(first);
    expect(fs.readdirSync(folder).sort()).toEqual(["state.json", "state.json.bak"]);
  });

  it("is none for a new stack", () => {
    expect(readDeployment(folder)).toBeUndefined();
  });

  it.each([
    ["truncated", (text: string) => text.slice(0, 500), /cannot be used/],
    ["empty", () => "", /cannot be used/],
    [
      "of another version",
      (text: string) => text.replace('"version": 3', '"version": 9'),
      /version/,
    ],
    [
      "lacking a resource",
      (text: string) => text.replaceAll('A::a"', 'A::z"').replace('A::z"', 'A::a"'),
      /refers to/,
    ],
    ["lacking an id", (text: string) => text.replace('"id": "b1",', ""), /no id/],
    [
      "of another secrets provider",
      (text: string) => text.replace('"passphrase"', '"awskms"'),
      /awskms/,
    ],
  ])("is refused when it is %s, with a way out", (_, breakIt, message) => {
    writeState(folder, state("one"), passphrase);
    writeState(folder, state("two"), passphrase);
    fs.writeFileSync(statePath(folder), breakIt(fs.readFileSync(statePath(folder), "utf8")));
    expect(() => readDeployment(folder)).toThrow(message);
    try {
      readDeployment(folder);
    } catch (error) {
      expect((error as UserError).fix).toContain(backupPath(folder));
    }
  });

  it("is rid of interrupted steps by a refresh, which tells them and runs nothing", async () => {
    const resource = { urn: "urn:pulumi:s::p::t:t:B::c", type: "t:t:B", custom: true };
    writeState(folder, { ...state("one"), pending: [{ type: "creating", resource }] }, passphrase);
    const told: string[] = [];
    const options = {
      projectDir: folder,
      project: "p",
      stack: "s",
      stackFolder: folder,
      config: {},
      secretKeys: [],
      passphrase: "word",
      onEvent: (event: StepEvent) => {
        if (event.kind === "log") {
          told.push(`${event.severity}: ${event.message}`);
        }
      },
    };
    expect(await refresh(options)).toMatchObject({ ok: true, changes: { same: 2 } });
    expect(told).toEqual([expect.stringMatching(/^warning: .*while creating .*::c;/)]);
    expect(exportState(folder)?.deployment).not.toHaveProperty("pending_operations.0");
    expect(exportState(folder)?.deployment.resources).toHaveLength(2);
  });

  it("is refused when it has vanished", () => {
    writeState(folder, state("one"), passphrase);
    writeState(folder, state("two"), passphrase);
    fs.rmSync(statePath(folder));
    expect(() => readDeployment(folder)).toThrow(/is missing/);
  });
});
