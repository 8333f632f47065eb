// The one entry of all scripts behind the program's Commands:
//
//   node --require tsx/cjs steps.mjs <kind> <verb>
//
// States record this line, so a kind's name is kept; where its code is may change.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** @type {Readonly<Record<string, () => { default: object }>>} */
export const kinds = {
  stack: () => require("./infra/stack/stackStep.ts"),
  credentials: () => require("./infra/stack/credentialsStep.ts"),

  python: () => require("./infra/toolchain/python.ts"),
  jars: () => require("./infra/toolchain/jars.ts"),
  "minio-binary": () => require("./infra/toolchain/minioBinary.ts"),
  model: () => require("./infra/toolchain/model.ts"),
  packages: () => require("./infra/toolchain/packages.ts"),

  "s3-store": () => require("./infra/stores/s3/storeStep.ts"),
  "s3-bucket": () => require("./infra/stores/s3/bucketStep.ts"),
  "aws-store": () => require("./infra/stores/aws/storeStep.ts"),
  "minio-bucket": () => require("./infra/stores/minio/bucketStep.ts"),
  upload: () => require("./infra/stores/uploadStep.ts"),

  "local-supervisor": () => ({ default: require("./infra/targets/local/services.ts").supervisor }),
  "local-minio-data": () => ({ default: require("./infra/targets/local/services.ts").minioData }),
  "local-service": () => ({ default: require("./infra/targets/local/services.ts").service }),

  "docker-cleanup": () => ({ default: require("./infra/targets/docker/scripts.ts").cleanup }),
  "docker-credentials": () => ({
    default: require("./infra/targets/docker/scripts.ts").credentials,
  }),
  "docker-model": () => ({ default: require("./infra/targets/docker/scripts.ts").model }),
  "docker-ready": () => ({ default: require("./infra/targets/docker/scripts.ts").ready }),

  "cluster-record": () => ({
    default: require("./infra/targets/cluster/executor.ts").clusterRecord,
  }),

  dataset: () => require("./pipelines/steps/dataset.ts"),
  "existing-dataset": () => require("./pipelines/steps/existing.ts"),
  oracle: () => require("./pipelines/steps/oracle.ts"),
  "output-prefix": () => require("./pipelines/steps/outputPrefix.ts"),
  run: () => require("./pipelines/steps/run.ts"),
  report: () => require("./report/step.ts"),
};

const [kind, verb] = process.argv.slice(2);
if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { runStep } = require("./infra/stack/runStep.ts");
  await runStep(verb, Object.hasOwn(kinds, kind ?? "") ? kinds[kind] : undefined);
}
