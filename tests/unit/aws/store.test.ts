import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";
import type { Buckets } from "../../../infra/stores/buckets";
import { bucketPrefixes } from "../../../pipelines/places";
import { otherNames, record, type Recorded } from "../local/recorded";

const account = { id: "123456789012", partition: "aws", region: "eu-central-1" };

interface Declared {
  readonly all: readonly Recorded[];
  readonly buckets: Buckets;
}

/** What a store at AWS registers on a stack. */
async function declared(settings = { awsTags: {}, awsProtect: false }): Promise<Declared> {
  const { AwsStore } = await import("../../../infra/stores/aws/store");
  const { awsBucketNames } = await import("../../../infra/stores/aws/account");
  const storage = await import("../../../infra/stores/buckets");
  let buckets: Buckets | undefined;
  const all = await record("prod", () => {
    const objectStore = new AwsStore("object-store", {
      settings,
      stack: "prod",
      seen: { account, buckets: awsBucketNames("prod", account, undefined, {}), generation: "1" },
    });
    buckets = new storage.Buckets("buckets", { objectStore, prefixes: bucketPrefixes() });
  });
  return { all, buckets: buckets! };
}

const inputs = ({ inputs }: Recorded) => inputs as unknown as Record<string, unknown>;
const parsed = (text: unknown) =>
  JSON.parse(String(text)) as { Statement: Record<string, unknown>[] };

describe("a store at AWS", () => {
  let all: readonly Recorded[];
  let names: Buckets["names"];
  beforeAll(async () => {
    const made = await declared();
    all = made.all;
    names = made.buckets.names;
  });
  const of = (type: string) => all.filter((each) => each.type === type);

  it("has four buckets with all their parts, and one role", () => {
    const count = Object.fromEntries(
      [...new Set(all.map(({ type }) => type))].sort().map((type) => [type, of(type).length]),
    );
    expect(count).toEqual({
      "aws:iam/role:Role": 1,
      "aws:iam/rolePolicy:RolePolicy": 4,
      "aws:s3/bucket:Bucket": 4,
      "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": 4,
      "aws:s3/bucketOwnershipControls:BucketOwnershipControls": 4,
      "aws:s3/bucketPolicy:BucketPolicy": 4,
      "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": 4,
      "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": 4,
      "command:local:Command": 5,
      "engine-comparison:aws:Bucket": 4,
      "engine-comparison:aws:Store": 1,
      "engine-comparison:storage:Buckets": 1,
      "pulumi:pulumi:Stack": 1,
    });
    const made = of("aws:s3/bucket:Bucket").map((each) => inputs(each).bucket);
    expect(made.sort()).toEqual(Object.values(names).sort());
  });

  it("names its parts after itself", () => {
    expect(otherNames(all)).toEqual([]);
    const names = all.filter(({ type }) => type.startsWith("aws:")).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("claims each bucket for the stack, once its pipelines may write to it", () => {
    const claims = of("command:local:Command").filter(({ name }) => name !== "object-store");
    const specs = claims.map(({ inputs }) => JSON.parse(inputs.environment.SPEC) as object);
    expect(specs).toContainEqual({
      bucket: names.lake,
      prefixes: bucketPrefixes().lake,
      store: "aws 123456789012 eu-central-1 1",
    });
    for (const { dependencies } of claims) {
      expect(dependencies.some((urn) => urn.includes("rolePolicy:RolePolicy"))).toBe(true);
    }
  });

  it("blocks public access in every way", () => {
    for (const each of of("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")) {
      const { bucket, ...blocks } = inputs(each);
      expect(Object.values(names)).toContain(bucket);
      expect(blocks).toEqual({
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      });
    }
  });

  it("refuses whoever comes without TLS", () => {
    for (const each of of("aws:s3/bucketPolicy:BucketPolicy")) {
      const { bucket, policy } = inputs(each);
      const [statement] = parsed(policy).Statement;
      expect(statement).toMatchObject({
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      });
      expect(statement.Resource).toEqual([
        `arn:aws:s3:::${String(bucket)}`,
        `arn:aws:s3:::${String(bucket)}/*`,
      ]);
    }
  });

  it("removes uploads that were not completed", () => {
    for (const each of of("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")) {
      expect(inputs(each).rules).toMatchObject([
        {
          status: "Enabled",
          abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
        },
      ]);
    }
  });

  it("tells pipelines the role, and no key", () => {
    const step = of("command:local:Command").find(({ name }) => name === "object-store")!;
    const spec = JSON.parse(step.inputs.environment.SPEC) as Record<string, unknown>;
    expect(Object.keys(spec).sort()).toEqual([
      "buckets",
      "endpoint",
      "generation",
      "region",
      "role",
    ]);
    expect(spec.role).toBe("arn of object-store-pipelines");
    expect(spec.endpoint).toBe("https://s3.eu-central-1.amazonaws.com");
    expect(step.inputs.stdin).toBeUndefined();
  });

  it("lets only the account's own take the role", () => {
    const [role] = of("aws:iam/role:Role");
    expect(parsed(inputs(role).assumeRolePolicy).Statement).toEqual([
      {
        Sid: "OwnAccount",
        Effect: "Allow",
        Principal: { AWS: "arn:aws:iam::123456789012:root" },
        Action: "sts:AssumeRole",
      },
    ]);
  });

  it("tags what it makes, with the user's tags, too", async () => {
    const tagged = await declared({ awsTags: { team: "data" }, awsProtect: false });
    const taggable = tagged.all.filter(({ type }) =>
      ["aws:s3/bucket:Bucket", "aws:iam/role:Role"].includes(type),
    );
    expect(taggable).toHaveLength(5);
    for (const each of taggable) {
      expect(inputs(each).tags).toEqual({
        project: "engine-comparison",
        stack: "prod",
        team: "data",
      });
    }
  });

  it("is protected where the settings say so, and never deleted with what others put there", async () => {
    const guarded = await declared({ awsTags: {}, awsProtect: true });
    const seen = (each: readonly Recorded[]) =>
      each
        .filter(({ type }) => type === "aws:s3/bucket:Bucket")
        .map((one) => [one.protect, inputs(one).forceDestroy]);
    expect(seen(all)).toEqual(Array(4).fill([false, false]));
    expect(seen(guarded.all)).toEqual(Array(4).fill([true, false]));
  });

  it("has uploads wait for a bucket's whole access", async () => {
    const { buckets } = await declared();
    const urns = await Promise.all(
      buckets.all.map((each) => new Promise<string>((done) => each.urn.apply(done))),
    );
    expect(urns.every((urn) => urn.includes("engine-comparison:aws:Bucket"))).toBe(true);
    expect(buckets.all.every((each) => each instanceof pulumi.ComponentResource)).toBe(true);
  });
});
