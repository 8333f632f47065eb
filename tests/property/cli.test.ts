import * as fs from "node:fs";
import * as path from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import { exitCode } from "../../cli/cli";
import { freshHome } from "../unit/cli/home";
import { key, value } from "./arbitraryConfig";

// All of the CLI but what would deploy.
vi.mock("../../cli/runners/embeddedRunner", () => ({
  makeRunner: () => ({
    name: "embedded",
    preview: () => Promise.resolve({ ok: true, changes: {}, outputs: {}, errors: [] }),
  }),
}));

const home = freshHome();
const seed = Number(process.env.FAST_CHECK_SEED ?? 20261123);
/** How many times as many cases as in `npm test`. */
const times = Number(process.env.FAST_CHECK_TIMES ?? 1);
let said = "";

beforeEach(() => {
  const say = (text: string) => void (said += `${text}\n`);
  vi.spyOn(console, "log").mockImplementation(say);
  vi.spyOn(console, "error").mockImplementation(say);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs a verb in this process. @returns its exit code, and what it said */
async function cli(...argv: string[]) {
  said = "";
  const code = await exitCode(argv);
  return { code, said };
}

/** What a refusal must be: exit code 2, and a message with a reason, without a stack trace. */
function refused({ code, said }: { code: number; said: string }): void {
  expect(code, said).toBe(2);
  expect(said).toMatch(/why: |usage: npm run preview/);
  expect(said).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  expect(said).not.toMatch(/^\w*Error:/m);
  expect(said.length).toBeLessThan(6000);
}

describe("the command line", () => {
  it(
    "takes what --config says, or refuses it with key and reason and keeps none of it",
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }),
          async (set) => {
            const changes = set.flatMap(([name, text]) => ["--config", `${name}=${text}`]);
            const done = await cli("preview", "--runner", "embedded", ...changes);
            if (done.code !== 0) {
              refused(done);
              expect(fs.readdirSync(home()).filter((name) => name !== "local")).toEqual([]);
              const folder = path.join(home(), "local");
              const kept = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
              expect(kept.filter((name) => name !== "passphrase")).toEqual([]);
            }
            fs.rmSync(path.join(home(), "local"), { recursive: true, force: true });
          },
        ),
        { seed, numRuns: 300 * times },
      );
    },
    120_000 * times,
  );

  it(
    "takes a stack's file, or refuses it with file or key and reason",
    async () => {
      const folder = path.join(home(), "local");
      const file = path.join(folder, "Pulumi.local.yaml");
      fs.mkdirSync(folder);
      await fc.assert(
        fc.asyncProperty(stackFile, async (text) => {
          fs.writeFileSync(file, text);
          const done = await cli("preview", "--runner", "embedded");
          if (done.code !== 0) {
            refused(done);
            expect(done.said).toMatch(/engine-comparison:|Pulumi\.local\.yaml/);
          }
          expect(fs.readFileSync(file, "utf8")).toBe(text);
        }),
        { seed, numRuns: 300 * times },
      );
    },
    120_000 * times,
  );

  it(
    "takes no other arguments than its own",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 3 }), async (words) => {
          fc.pre(
            words.some((word) => !/^(-h|--help|--json|--diff|--expect-no-changes)$/.test(word)),
          );
          const done = await cli("preview", "--runner", "embedded", ...words);
          if (!words.includes("--help")) refused(done);
        }),
        { seed, numRuns: 200 * times },
      );
    },
    60_000 * times,
  );
});

/** Values as YAML has them, secrets that are none, and whole files that are something else. */
const yamlValue = fc.oneof(
  value,
  fc.jsonValue({ maxDepth: 3 }),
  fc.double(),
  fc.record({ secure: fc.oneof(fc.string(), fc.constant("v1:AAAA:BBBB")) }),
);
const stackFile = fc.oneof(
  { weight: 4, arbitrary: fc.dictionary(key, yamlValue, { maxKeys: 3 }).map(config) },
  fc.jsonValue().map((content) => stringify(content)),
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "",
    "config:\n",
    "config: []\n",
    "- config\n",
    "config: &a\n  engine-comparison:gpu: *a\n",
    "config:\n  ? [gpu]\n  : 1\n",
    "config:\n  engine-comparison:gpu: !!binary aGk=\n",
    "encryptionsalt: 5\nconfig:\n  gpu: { secure: 'v1:a:b' }\n",
    "config: {gpu: off\n",
    "\u0000",
  ),
);

function config(values: Record<string, unknown>): string {
  const named = Object.entries(values).map(([name, one]) => [`engine-comparison:${name}`, one]);
  return stringify({ config: Object.fromEntries(named) as unknown });
}
