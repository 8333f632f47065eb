import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { assumeRole } from "../../../infra/stores/access";
import { UserError } from "../../../infra/contracts/errors";

const role = "arn:aws:iam::123456789012:role/pipelines";
const search = process.env.PATH;
let bin: string;

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
