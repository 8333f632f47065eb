import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import { lookAtAccount } from "../../../infra/stores/aws/store";
import { readSettings } from "../../../infra/targets/readSettings";
import { defaultConfig, largeMachine } from "../../defaults";
import { freshHome } from "../cli/home";

freshHome();
const answers: Record<string, object> = {
  "aws:index/getCallerIdentity:getCallerIdentity": {
    accountId: "123456789012",
    arn: "arn:aws:iam::123456789012:user/me",
  },
  "aws:index/getRegion:getRegion": { region: "us-east-1" },
};

/** Looks at an account that has some buckets. */
async function look(existing: readonly string[], id?: string) {
  await pulumi.runtime.setMocks({
    newResource: ({ name }) => ({ id: name, state: {} }),
    call({ token, inputs }) {
      const { bucket } = inputs as { bucket?: string };
      if (bucket === undefined) return answers[token];
      if (existing.includes(bucket)) return inputs as object;
      throw new Error(`couldn't find ${bucket}`);
    },
  });
  const names = { lake: "my-lake", images: "my-images", output: "my-output" };
  const config = { objectStore: "aws", bucketNames: JSON.stringify(names) };
  return lookAtAccount(readSettings(defaultConfig(config), largeMachine), "prod", id);
}

it("says who deploys, and where", async () => {
  const { account, buckets } = await look([]);
  expect(account).toEqual({ id: "123456789012", partition: "aws", region: "us-east-1" });
  expect(buckets.lake).toBe("my-lake");
  expect(buckets.warehouse).toMatch(/^engine-comparison-prod-warehouse-[0-9a-f]{12}$/);
});

it("refuses buckets that are there before a stack's first up", async () => {
  await expect(look(["my-lake", "my-output"])).rejects.toThrow(
    "account 123456789012 has my-lake, my-output already, and this stack is new",
  );
});

it("takes them for the stack's own afterwards", async () => {
  expect((await look(["my-lake"], "0123456789abcdef")).buckets.lake).toBe("my-lake");
});
