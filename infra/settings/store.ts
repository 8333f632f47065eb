import * as z from "zod";
import { quoted } from "../contracts/errors";
import { bucketPurposes } from "../contracts/platform";
import { bucketNameRule, isBucketName } from "./bucketNames";
import { address, flag, notInput, object, optional, secret, text } from "./values";

export const storeSettings = {
  objectStore: text(
    "Where all data lives. `minio`: the stack's own MinIO. `s3`: an external store that speaks S3 " +
      "(targets local and cluster). `aws`: S3 buckets at AWS that the stack makes (the same " +
      "targets, with the Pulumi CLI). `auto` is aws on target cluster and minio on the others. A " +
      "stack keeps its store for life.",
    "auto",
  ),
  s3Endpoint: address(
    "`objectStore: s3`: its address, such as `https://s3.example:9000`.",
    "must be an http or https address without a path, a password or a query",
  ),
  s3Region: text("`objectStore: s3`: the region that requests are signed for.", "us-east-1", {
    pattern: /^[a-z0-9][a-z0-9-]*$/,
    must: "must be a region such as us-east-1",
  }),
  s3PathStyle: flag(
    "`objectStore: s3`: whether a bucket is a part of the path, as in `https://s3.example/lake`, " +
      "or else of the host's name, as in `https://lake.s3.example`.",
    true,
  ),
  s3BulkDelete: flag(
    "`objectStore: s3`: whether the store deletes many objects by one request (DeleteObjects). If " +
      "not, each is deleted by its own request, which takes longer.",
    true,
  ),
  s3Checksums: flag(
    "`objectStore: s3`: whether the store takes checksums in headers (`x-amz-checksum-*`). If not, " +
      "what is uploaded is compared with its manifest on this side alone.",
    true,
  ),
  s3CaCertificates: optional(
    "`objectStore: s3`: a PEM file with the only authorities that may sign the store's " +
      "certificate, relative to the checkout or absolute. Empty means those that the system trusts. " +
      "The certificate is checked in either case.",
  ),
  s3AccessKey: secret("`objectStore: s3`: the access key; set it with `--secret`."),
  s3SecretKey: secret("`objectStore: s3`: the secret key; set it with `--secret`."),
  bucketPrefix: optional(
    "`objectStore: s3` or `aws`: what the names of the buckets begin with: `me-` makes `me-lake`, " +
      "`me-bucket`, `me-warehouse` and `me-output`. With `s3`, an existing bucket is used if it is " +
      "empty where the stack puts its things; a destroy removes these and nothing else. With `aws`, " +
      "names end with twelve more digits, so that they are unique.",
    {
      pattern: /^[a-z0-9][a-z0-9.-]{0,40}$/,
      must: "must be at most 41 lower-case letters, digits, dots and dashes",
    },
  ),
  bucketNames: object(
    "`objectStore: s3` or `aws`: whole names of buckets, such as " +
      '`{"output": "my-results"}`, for lake, images, warehouse and output.',
    z.partialRecord(
      z.enum(bucketPurposes),
      z.string().refine(isBucketName, {
        error: ({ input }) => `has ${quoted(String(input))}, and ${bucketNameRule}`,
      }),
    ),
    ({ code, message }) =>
      code === "custom"
        ? message
        : `must be an object with some of the keys ${bucketPurposes.join(", ")}`,
  ),
  awsTags: object(
    '`objectStore: aws`: tags of the buckets and the role, such as `{"team": "data"}`, besides ' +
      "`project` and `stack`.",
    z.record(z.string().min(1), z.string()),
    () => "must be an object with texts as its values",
  ),
  awsProtect: flag(
    "`objectStore: aws`: whether Pulumi refuses to delete the buckets with what is in them.",
    false,
  ),
  minioRootUser: notInput(
    optional(
      "MinIO's root user. Empty means `minioadmin` on stacks `local` and `dev`, and a random one " +
        "on any other.",
      {
        pattern: /^[A-Za-z0-9_.-]{3,128}$/,
        must: "must be 3 to 128 letters, digits, dots, dashes or underscores",
      },
    ),
  ),
  minioRootPassword: secret(
    "MinIO's root password, at least 8 characters; set it with `--secret`. Empty means " +
      "`minioadmin` on stacks `local` and `dev`, and a random one on any other.",
    {
      pattern: /^\P{Cc}{8,128}$/u,
      must: "must be 8 to 128 characters long, none of them a line break or another control character",
    },
  ),
};
