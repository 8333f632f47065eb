/** Prints what a store at AWS gives the pipelines: each purpose's bucket, its prefixes and its policy. */
import { awsBucketNames, pipelineAccess } from "../infra/stores/aws/account";
import { bucketPurposes } from "../infra/contracts/platform";
import { bucketPrefixes } from "../pipelines/places";

const account = { id: "123456789012", partition: "aws", region: "us-east-1" };
const names = awsBucketNames("prod", account, undefined, {});
const prefixes = bucketPrefixes();
const given = bucketPurposes.map((purpose) => {
  const [bucket, owns] = [names[purpose], prefixes[purpose]];
  return [purpose, { bucket, prefixes: owns, policy: pipelineAccess(account, bucket, owns) }];
});
console.log(JSON.stringify(Object.fromEntries(given)));
