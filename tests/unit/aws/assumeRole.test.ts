import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { assumeRole, storeAccess } from "../../../infra/stores/access";
import { UserError } from "../../../infra/contracts/errors";
import { onceAllowed } from "../../../infra/stores/steps";
import { readSettings } from "../../../infra/targets/readSettings";
import { writeStepRecord } from "../../../infra/stack/records";
import { defaultConfig, largeMachine } from "../../defaults";
import { freshHome } from "../cli/home";

const role = "arn:aws:iam::123456789012:role/pipelines";
const search = process.env.PATH;
let bin: string;

freshHome();
beforeEach(() => {
  bin = fs.mkdtempSync(path.join(os.tmpdir(), "ec-aws-"));
});
afterEach(() => {
  process.env.PATH = search;
  fs.rmSync(bin, { recursive: true });
});

/** Puts a program `aws` before all others on PATH. */
function aws(script: string): void {
  fs.writeFileSync(path.join(bin, "aws"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env.PATH = `${bin}:${search}`;
}

const keys = JSON.stringify({
  Credentials: { AccessKeyId: "id", SecretAccessKey: "key", SessionToken: "token" },
});

it("asks the AWS CLI for the role's keys, for an hour, by names that AWS takes", () => {
  aws(`printf '%s\\n' "$@" >${bin}/arguments; echo '${keys}'`);
  expect(assumeRole(role, "eu-central-1", "engine-comparison-my stack")).toEqual({
    accessKey: "id",
    secretKey: "key",
    sessionToken: "token",
  });
  expect(fs.readFileSync(path.join(bin, "arguments"), "utf8").trim().split("\n")).toEqual([
    ...["sts", "assume-role", "--role-arn", role, "--region", "eu-central-1"],
    ...["--role-session-name", "engine-comparison-my-stack"],
    ...["--duration-seconds", "3600", "--output", "json"],
  ]);
});

it("tells what AWS says where it is refused", () => {
  aws("echo; echo 'An error occurred (AccessDenied) when calling AssumeRole' >&2; exit 254");
  expect(() => assumeRole(role, "eu-central-1", "s")).toThrow(UserError);
  expect(() => assumeRole(role, "eu-central-1", "s")).toThrow(/AccessDenied[^]*sts:AssumeRole/);
});

it("says what is missing without the AWS CLI, and tells no output of it that is none", () => {
  process.env.PATH = bin;
  expect(() => assumeRole(role, "eu-central-1", "s")).toThrow(/ENOENT[^]*AWS CLI is installed/);
  aws("echo secret-text");
  expect(() => assumeRole(role, "eu-central-1", "s")).toThrow("gave no keys");
  expect(() => assumeRole(role, "eu-central-1", "s")).not.toThrow("secret-text");
});

describe("what IAM has just allowed", () => {
  const refusal = new UserError("the role cannot be assumed: AccessDenied", "why", "fix");

  it("is tried again while it is refused", async () => {
    const work = vi
      .fn()
      .mockRejectedValueOnce(refusal)
      .mockRejectedValueOnce({
        ...{ code: "AccessDenied", message: "no" },
      });
    work.mockResolvedValue("done");
    expect(await onceAllowed(work, { tries: 3, pauseMs: 1 })).toBe("done");
    expect(work).toHaveBeenCalledTimes(3);
  });

  it("is given up after the last try, and at once for any other reason", async () => {
    const refused = vi.fn().mockRejectedValue(refusal);
    await expect(onceAllowed(refused, { tries: 2, pauseMs: 1 })).rejects.toBe(refusal);
    expect(refused).toHaveBeenCalledTimes(2);
    const broken = vi.fn().mockRejectedValue(new Error("no such bucket"));
    await expect(onceAllowed(broken, { tries: 2, pauseMs: 1 })).rejects.toThrow("no such bucket");
    expect(broken).toHaveBeenCalledTimes(1);
  });
});

describe("a run's keys", () => {
  const longest = 3540;
  const settingsWith = (runTimeoutSeconds: number) =>
    readSettings(
      defaultConfig({ objectStore: "aws", runTimeoutSeconds: String(runTimeoutSeconds) }),
      largeMachine,
    );

  it("are new for each run, and hold until the last moment that it may take", () => {
    const place = { endpoint: "https://s3.eu-central-1.amazonaws.com", region: "eu-central-1" };
    const buckets = { lake: "l", images: "i", warehouse: "w", output: "o" };
    const result = { ...place, store: "aws", pathStyle: false, certificates: null, role, buckets };
    writeStepRecord("prod", "object-store", { generation: "1", result });
    // The token is the moment, by the clock in a file, from which on AWS refuses it.
    aws(`
      while [ "$1" != --duration-seconds ]; do shift; done
      token=$(($(cat ${bin}/clock) + $2))
      echo '{"Credentials":{"AccessKeyId":"id","SecretAccessKey":"key","SessionToken":"'$token'"}}'
    `);
    const { runTimeoutSeconds } = settingsWith(longest);
    const secondsToStart = 30;
    for (const clock of [0, 1, longest, 3 * longest]) {
      fs.writeFileSync(path.join(bin, "clock"), String(clock));
      const until = Number(storeAccess("prod").sessionToken);
      expect(until).toBeGreaterThan(clock + secondsToStart + runTimeoutSeconds);
      expect(until).toBe(clock + 3600);
    }
  });

  it("are refused to a run that may outlive them", () => {
    expect(() => settingsWith(longest + 1)).toThrow('runTimeoutSeconds is "3541"');
    expect(() => settingsWith(longest + 1)).toThrow("set runTimeoutSeconds to 3540 or less");
  });
});
