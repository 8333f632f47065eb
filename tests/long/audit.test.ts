import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { expect, it } from "vitest";
import { shortHash } from "../../infra/stack/files";
import { checkout } from "../../infra/host/folders";
import { BuildLog, ensureEntry } from "../../infra/toolchain/caches";
import { ensureUv } from "../../infra/toolchain/uv";
import { lockFile, locks } from "../../infra/toolchain/locks";
import { judge, type Advisory, type Explained } from "./advisories";

const explained = JSON.parse(
  fs.readFileSync(path.join(__dirname, "advisories.json"), "utf8"),
) as Record<"npm" | "python", Explained[]>;
const today = new Date().toISOString().slice(0, 10);
const minutes = (n: number) => n * 60_000;

function said(program: string, args: readonly string[]): string {
  const done = spawnSync(program, args, {
    cwd: checkout,
    encoding: "utf8",
    timeout: minutes(5),
    maxBuffer: 2 ** 28,
  });
  return done.stdout;
}

function json<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

interface NpmAudit {
  readonly vulnerabilities?: Readonly<
    Record<
      string,
      { readonly via: readonly (string | { readonly url: string; readonly name: string })[] }
    >
  >;
}

it(
  "npm audit finds nothing that is not explained",
  ({ skip }) => {
    const { vulnerabilities } = json<NpmAudit>(said("npm", ["audit", "--json"])) ?? {};
    if (!vulnerabilities) return skip("the registry answers no questions about advisories");
    const found = Object.values(vulnerabilities)
      .flatMap(({ via }) => via)
      .flatMap((one) => (typeof one === "string" ? [] : [one]))
      .map(({ url, name }) => ({ id: url.split("/").at(-1) ?? url, package: name }));
    expect(judge(explained.npm, unique(found), today)).toEqual([]);
  },
  minutes(6),
);

interface PipAudit {
  readonly dependencies: readonly {
    readonly name: string;
    readonly vulns?: readonly { readonly id: string }[];
  }[];
}

it(
  "pip-audit finds nothing that is not explained",
  async ({ skip }) => {
    const program = await pipAudit();
    const asked = Object.values(locks).filter(
      (lock) => lock.endsWith(".lock") && lock !== locks.jars,
    );
    const answers = asked.map((lock) =>
      json<PipAudit>(
        said(program, [
          ...["--requirement", path.join(checkout, "pipelines", lock)],
          ...["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"],
        ]),
      ),
    );
    const dependencies = answers.flatMap((answer) => answer?.dependencies ?? []);
    const known = dependencies.filter(({ vulns }) => vulns);
    if (known.length === 0) return skip("the package index answers no questions about advisories");
    expect(answers).not.toContain(undefined);
    // What it could not ask about must not pass for what nothing is known of.
    expect(dependencies.filter(({ vulns }) => !vulns)).toEqual([]);
    const found = known.flatMap(({ name, vulns = [] }) =>
      vulns.map(({ id }) => ({ id, package: name })),
    );
    expect(judge(explained.python, unique(found), today)).toEqual([]);
  },
  minutes(15),
);

function unique(advisories: readonly Advisory[]): Advisory[] {
  return [...new Map(advisories.map((one) => [`${one.id} ${one.package}`, one])).values()];
}

/** The program, in an environment of its own in the cache. */
async function pipAudit(): Promise<string> {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "engine-comparison-audit-"));
  const log = new BuildLog(path.join(scratch, "build.log"));
  const uv = await ensureUv(log);
  const lock = path.join(path.dirname(lockFile("python")), "requirements-audit.lock");
  const key = shortHash([uv.python.version, fs.readFileSync(lock, "utf8")]);
  const folder = await ensureEntry(`python/${key}`, log, async (build) => {
    await uv.environment(build, [lock]);
  });
  fs.rmSync(scratch, { recursive: true });
  return path.join(folder, "bin", "pip-audit");
}
