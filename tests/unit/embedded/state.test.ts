import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  destroy,
  EmbeddedError,
  exportState,
  preview,
  refresh,
  up,
  type EmbeddedOptions,
  type StepEvent,
} from "../../../embedded";
import type { Deployment } from "../../../embedded/types";
import { checkout } from "../../../infra/host/folders";
import { Passphrase } from "../../../embedded/secrets";
import {
  backupPath,
  decryptState,
  readDeployment,
  statePath,
  writeState,
  type State,
} from "../../../embedded/state";
import { secret } from "../../../embedded/values";

describe("the passphrase", () => {
  // Written by the Pulumi CLI 3.248.0.
  const salt = "v1:MRJ1iWu+DYc=:v1:Oj76+MN5vtH9YM/v:P4QjcDVpqQSooEva3/8OztkXqypovQ==";
  const ciphertext = "v1:XC7yghZ+pmleqrc4:/GIq2Ie54nZ6m1yPKuXwOOtENvr1aQswiA==";

  it("opens what the Pulumi CLI has encrypted", async () => {
    const opened = await Passphrase.open("open sesame", salt);
    expect(opened.decrypt(ciphertext)).toBe('{"A":"b"}');
  });

  it("is refused when it is another one", async () => {
    await expect(Passphrase.open("wrong", salt)).rejects.toThrow(EmbeddedError);
    await expect(Passphrase.open("open sesame", "v2:x")).rejects.toThrow(EmbeddedError);
  });

  it("encrypts each time anew and opens what it encrypted", async () => {
    const made = await Passphrase.make("pässword");
    const reopened = await Passphrase.open("pässword", made.salt);
    const [one, two] = [made.encrypt("häuser"), made.encrypt("häuser")];
    expect(one).not.toBe(two);
    expect([reopened.decrypt(one), reopened.decrypt(two)]).toEqual(["häuser", "häuser"]);
  });
});

/** What a refusal says. */
function refusal(work: () => unknown): EmbeddedError {
  try {
    work();
  } catch (error) {
    if (error instanceof EmbeddedError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

function quiet(folder: string): EmbeddedOptions {
  return {
    projectDir: folder,
    project: "p",
    stack: "s",
    stackFolder: folder,
    config: {},
    secretKeys: [],
    passphrase: "word",
    onEvent: () => undefined,
  };
}

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
        deletedWith: "",
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

  it("stays as it was, with its backup, when there is room for a part of the new one only", () => {
    for (const word of ["one", "two"]) writeState(folder, state(word), passphrase);
    const before = [statePath(folder), backupPath(folder)].map((file) => fs.readFileSync(file));
    // To write up to a limit and then fail is what a full disk does, too.
    const script = `
      const { writeState } = require("./embedded/state");
      const resources = [{ urn: "u", type: "t", custom: false, outputs: { a: "x".repeat(2e6) } }];
      try { writeState(${JSON.stringify(folder)}, { resources, pending: [] }, { salt: "" }); }
      catch ({ code }) { console.log(code); }`;
    const { stdout, stderr } = spawnSync(
      "/bin/sh",
      [
        "-c",
        'ulimit -f 1000; exec "$@"',
        "sh",
        process.execPath,
        "--require",
        "tsx/cjs",
        "-e",
        script,
      ],
      { cwd: checkout, encoding: "utf8" },
    );
    expect(stdout, stderr).toBe("EFBIG\n");
    expect([statePath(folder), backupPath(folder)].map((file) => fs.readFileSync(file))).toEqual(
      before,
    );
    writeState(folder, state("three"), passphrase);
    expect(fs.readFileSync(backupPath(folder))).toEqual(before[0]);
  });

  it("is none for a new stack", () => {
    expect(readDeployment(folder)).toBeUndefined();
  });

  const dropped = (text: string, name: string) => {
    const stored = JSON.parse(text) as Deployment;
    const { resources = [] } = stored.deployment;
    stored.deployment.resources = resources.filter(({ urn }) => !urn.endsWith(`::${name}`));
    return JSON.stringify(stored);
  };
  const doubled = (text: string) => {
    const stored = JSON.parse(text) as Deployment;
    stored.deployment.resources?.push(stored.deployment.resources[1]);
    return JSON.stringify(stored);
  };

  it.each([
    ["truncated", (text: string) => text.slice(0, 500), /cannot be used/],
    ["empty", () => "", /cannot be used/],
    ["null", () => "null", /the whole: .*expected object, received null/],
    ["another JSON", () => '{"services":[]}', /version: expected 3, found undefined/],
    [
      "of another version",
      (text: string) => text.replace('"version": 3', '"version": 9'),
      /version: expected 3, found 9/,
    ],
    [
      "of another shape",
      (text: string) => text.replace('"custom": true', '"custom": "yes"'),
      /deployment\.resources\[1\]\.custom: .*expected boolean/,
    ],
    [
      "of another engine than its checksum",
      (text: string) => text.replace("v3.248.0", "v3.249.0"),
      /magic does not fit the version v3\.249\.0/,
    ],
    [
      "lacking a resource that another needs",
      (text: string) => dropped(text, "a"),
      /::b refers to .*::a, which does not come before it/,
    ],
    ["naming a resource twice", doubled, /::b is there twice/],
    ["lacking an id", (text: string) => text.replace('"id": "b1",', ""), /no id/],
    [
      "of another secrets provider",
      (text: string) => text.replace('"passphrase"', '"awskms"'),
      /awskms/,
    ],
  ])("is refused when it is %s, and its copy can be put back", (_, breakIt, message) => {
    writeState(folder, state("one"), passphrase);
    writeState(folder, state("two"), passphrase);
    fs.writeFileSync(statePath(folder), breakIt(fs.readFileSync(statePath(folder), "utf8")));
    const said = refusal(() => readDeployment(folder));
    expect(said.what).toMatch(message);
    expect(said.fix).toContain(`cp '${backupPath(folder)}' '${statePath(folder)}'`);
    fs.copyFileSync(backupPath(folder), statePath(folder));
    const { inputs } = decryptState(readDeployment(folder), passphrase).resources[1];
    expect(inputs?.word).toBe("one");
  });

  it("says so when its copy is no better", () => {
    writeState(folder, state("one"), passphrase);
    fs.writeFileSync(statePath(folder), "{");
    fs.writeFileSync(backupPath(folder), "");
    const { fix, stateLost } = refusal(() => readDeployment(folder));
    expect(fix).not.toContain("cp ");
    expect(stateLost).toBe(true);
  });

  it("does without a resource that nothing needs", () => {
    writeState(folder, state("one"), passphrase);
    fs.writeFileSync(statePath(folder), dropped(fs.readFileSync(statePath(folder), "utf8"), "b"));
    expect(readDeployment(folder)?.deployment.resources).toHaveLength(1);
  });

  it("has a list where Pulumi writes null", () => {
    writeState(folder, state("one"), passphrase);
    const stored = JSON.parse(fs.readFileSync(statePath(folder), "utf8")) as Deployment;
    const written = { ...stored.deployment.resources?.[1], propertyDependencies: { word: null } };
    stored.deployment.resources?.splice(1, 1, written as never);
    fs.writeFileSync(statePath(folder), JSON.stringify(stored));
    const [, read] = readDeployment(folder)?.deployment.resources ?? [];
    expect(read.propertyDependencies).toEqual({ word: [] });
  });

  it("is refused when a secret in it was changed", () => {
    writeState(folder, state("one"), passphrase);
    const stored = readDeployment(folder);
    const text = JSON.stringify(stored);
    const sealed = /"ciphertext":"([^"]*)"/.exec(text)?.[1] ?? "";
    const changed = text.replace(sealed, `${sealed.slice(0, -8)}AAAAAA==`);
    const said = refusal(() => decryptState(JSON.parse(changed) as Deployment, passphrase));
    expect(said.what).toContain("cannot be decrypted");
    expect(said.fix).toContain("state.json.bak");
  });

  it.each([
    ["stack", { stack: "other", project: "p" }],
    ["project", { stack: "s", project: "other" }],
  ])("is refused to another %s, whose things it would delete", async (_, other) => {
    writeState(folder, state("one"), passphrase);
    const options = { ...quiet(folder), ...other };
    for (const verb of [up, preview, destroy, refresh]) {
      await expect(verb(options)).rejects.toThrow(/is not the state of stack/);
    }
  });

  it("is rid of interrupted steps by a refresh, which tells them and runs nothing", async () => {
    const resource = { urn: "urn:pulumi:s::p::t:t:B::c", type: "t:t:B", custom: true };
    writeState(folder, { ...state("one"), pending: [{ type: "creating", resource }] }, passphrase);
    const told: string[] = [];
    const options = {
      ...quiet(folder),
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
