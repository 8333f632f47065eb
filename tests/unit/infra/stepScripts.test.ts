import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { checkout } from "../../../infra/folders";

/**
 * Every script that a state may name for a delete, since the first version. None is ever taken off
 * this list; where a script moves, a file that imports it stays behind.
 */
const recorded = [
  "infra/cluster/steps/clusters.ts",
  "infra/credentials/steps/keep.ts",
  "infra/docker/steps/credentials.ts",
  "infra/docker/steps/model.ts",
  "infra/docker/steps/ready.ts",
  "infra/docker/steps/sweeper.ts",
  "infra/local/steps/credentials.ts",
  "infra/local/steps/jars.ts",
  "infra/local/steps/minio.ts",
  "infra/local/steps/minioBinary.ts",
  "infra/local/steps/minioData.ts",
  "infra/local/steps/model.ts",
  "infra/local/steps/packages.ts",
  "infra/local/steps/python.ts",
  "infra/local/steps/rayHead.ts",
  "infra/local/steps/sparkMaster.ts",
  "infra/local/steps/sparkWorker.ts",
  "infra/local/steps/supervisor.ts",
  "infra/storage/steps/aws.ts",
  "infra/storage/steps/bucket.ts",
  "infra/storage/steps/claimedBucket.ts",
  "infra/storage/steps/s3.ts",
  "infra/storage/steps/upload.ts",
  "pipelines/steps/dataset.ts",
  "pipelines/steps/existing.ts",
  "pipelines/steps/oracle.ts",
  "pipelines/steps/outputPrefix.ts",
  "pipelines/steps/report.ts",
  "pipelines/steps/run.ts",
];

const read = (script: string) => fs.readFileSync(path.join(checkout, script), "utf8");

/** Whether a file runs a step when it is started, by itself or by the script that it imports. */
function runsStep(script: string): boolean {
  const text = read(script);
  const moved = /^import "(.+)";$/m.exec(text);
  return moved
    ? runsStep(path.join(path.dirname(script), `${moved[1]}.ts`))
    : /^void run\w*Step\b/m.test(text);
}

describe("the scripts of steps", () => {
  it.each(recorded)("%s is still where states say", (script) => {
    expect(runsStep(script)).toBe(true);
  });

  it("are all on the list", () => {
    const scripts = ["infra", "pipelines"].flatMap((folder) =>
      fs
        .readdirSync(path.join(checkout, folder), { recursive: true, encoding: "utf8" })
        .map((name) => path.join(folder, name))
        .filter((name) => /\/steps\/\w+\.ts$/.test(name) && runsStep(name)),
    );
    expect(scripts.filter((script) => !recorded.includes(script))).toEqual([]);
    expect(scripts.length).toBeGreaterThan(20);
  });

  it("are started in the way that states say", () => {
    expect(read("infra/step.ts")).toContain("exec node --require tsx/cjs ${args.script} ${name}");
  });
});
