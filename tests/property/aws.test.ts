import * as fc from "fast-check";
import { expect, it } from "vitest";
import {
  awsBucketNames,
  bucketArn,
  folderName,
  pipelineAccess,
  tlsOnly,
} from "../../infra/stores/aws/account";
import { claimKey } from "../../infra/stores/claim";
import { isBucketName } from "../../infra/settings/bucketNames";
import { bucketPrefixes } from "../../pipelines/places";

const account = fc.record({
  id: fc.stringMatching(/^\d{12}$/),
  partition: fc.constantFrom("aws", "aws-cn", "aws-us-gov"),
  region: fc.constantFrom("us-east-1", "eu-central-1", "cn-north-1"),
});
/** What Pulumi takes as a stack's name. */
const stack = fc.stringMatching(/^[A-Za-z0-9_.-]{1,100}$/);
const prefix = fc.option(fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,40}$/), { nil: undefined });

it("names of buckets are such as S3 takes, whatever the stack is called", () => {
  fc.assert(
    fc.property(stack, account, prefix, (name, whose, begin) => {
      const names = Object.values(awsBucketNames(name, whose, begin, {}));
      expect(new Set(names).size).toBe(4);
      for (const each of names) expect(isBucketName(each), each).toBe(true);
    }),
  );
});

it("no two stacks, accounts or regions have a bucket in common", () => {
  fc.assert(
    fc.property(fc.tuple(stack, account), fc.tuple(stack, account), (one, other) => {
      fc.pre(JSON.stringify(one) !== JSON.stringify(other));
      const first = Object.values(awsBucketNames(...one, undefined, {}));
      const second = new Set(Object.values(awsBucketNames(...other, undefined, {})));
      expect(first.filter((name) => second.has(name))).toEqual([]);
    }),
  );
});

it("the same stack has the same names every time", () => {
  fc.assert(
    fc.property(stack, account, prefix, (name, whose, begin) => {
      expect(awsBucketNames(name, whose, begin, {})).toEqual(
        awsBucketNames(name, { ...whose }, begin, {}),
      );
    }),
  );
});

const bucket = fc.stringMatching(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/);
const purposes = fc.constantFrom(...Object.values(bucketPrefixes()));

/** Whether a pattern of IAM, where a star is anything, takes a resource. */
const matches = (pattern: string, arn: string) =>
  new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`).test(arn);

const list = (value: string | readonly string[] | undefined) =>
  typeof value === "string" ? [value] : (value ?? []);

/** Whether the pipelines' policy lets them do `action` with `arn`. */
function allows(policy: ReturnType<typeof pipelineAccess>, action: string, arn: string): boolean {
  return policy.Statement.some(
    ({ Effect, Action, Resource }) =>
      Effect === "Allow" &&
      list(Action).some((each) => matches(each, action)) &&
      list(Resource).some((each) => matches(each, arn)),
  );
}

it("pipelines may do with their own objects what they have to, and nothing with others'", () => {
  const key = fc.stringMatching(/^[a-z0-9/_=.-]{0,40}$/);
  fc.assert(
    fc.property(account, bucket, bucket, purposes, key, (whose, own, other, prefixes, rest) => {
      fc.pre(own !== other);
      const policy = pipelineAccess(whose, own, prefixes);
      const arn = bucketArn(whose, own);
      for (const action of ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]) {
        for (const begin of prefixes) {
          expect(allows(policy, action, `${arn}/${begin}${rest}`)).toBe(true);
        }
        const looked = action === "s3:GetObject" ? prefixes.map(folderName) : [];
        const foreign =
          !prefixes.some((begin) => rest.startsWith(begin)) &&
          ![claimKey, ...looked].includes(rest);
        if (foreign) expect(allows(policy, action, `${arn}/${rest}`)).toBe(false);
        expect(allows(policy, action, `${bucketArn(whose, other)}/${prefixes[0]}x`)).toBe(false);
      }
      for (const action of ["s3:DeleteBucket", "s3:PutBucketPolicy", "s3:DeleteObjectVersion"]) {
        expect(allows(policy, action, arn)).toBe(false);
        expect(allows(policy, action, `${arn}/${prefixes[0]}x`)).toBe(false);
      }
      expect(allows(policy, "s3:ListBucket", arn)).toBe(true);
      expect(allows(policy, "s3:ListBucket", bucketArn(whose, other))).toBe(false);
    }),
  );
});

it("a bucket's own policy denies, and allows nobody anything", () => {
  fc.assert(
    fc.property(account, bucket, (whose, name) => {
      const { Statement } = tlsOnly(whose, name);
      expect(Statement.every(({ Effect }) => Effect === "Deny")).toBe(true);
      expect(Statement.flatMap(({ Resource }) => list(Resource))).toEqual([
        bucketArn(whose, name),
        `${bucketArn(whose, name)}/*`,
      ]);
    }),
  );
});

it("no policy is longer than AWS takes", () => {
  const long = { id: "1".repeat(12), partition: "aws-us-gov", region: "us-gov-west-1" };
  for (const prefixes of Object.values(bucketPrefixes())) {
    const text = JSON.stringify(pipelineAccess(long, "b".repeat(63), prefixes));
    expect(text.length * 4).toBeLessThan(10_240); // all inline policies of a role together
  }
});
