// The one entry of all scripts behind the program's Commands:
//
//   node --require tsx/cjs steps.mjs <kind> <verb>
//
// States record this line, so a kind's name is kept; where its code is may change.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** @type {Readonly<Record<string, () => { default: object }>>} */
export const kinds = {
  stack: () => ({ default: require("./infra/stack/owner.ts").stackVerbs }),
  credentials: () => ({ default: require("./infra/stack/credentials.ts").credentialsVerbs }),

  python: () => ({ default: require("./infra/toolchain/steps.ts").python }),
  jars: () => ({ default: require("./infra/toolchain/steps.ts").jars }),
  "minio-binary": () => ({ default: require("./infra/toolchain/steps.ts").minioBinary }),
  model: () => ({ default: require("./infra/toolchain/steps.ts").model }),
  packages: () => ({ default: require("./infra/toolchain/steps.ts").packages }),

  "s3-store": () => require("./infra/stores/s3/storeStep.ts"),
  "s3-bucket": () => require("./infra/stores/s3/bucketStep.ts"),
  "aws-store": () => require("./infra/stores/aws/storeStep.ts"),
  "minio-bucket": () => require("./infra/stores/minio/bucketStep.ts"),
  upload: () => require("./infra/stores/uploadStep.ts"),

  "local-supervisor": () => ({ default: require("./infra/targets/local/steps.ts").supervisor }),
  "local-minio-data": () => ({ default: require("./infra/targets/local/steps.ts").minioData }),
  "local-service": () => ({ default: require("./infra/targets/local/steps.ts").service }),

  "docker-cleanup": () => require("./infra/targets/docker/steps/sweeper.ts"),
  "docker-credentials": () => ({
    default: require("./infra/targets/docker/steps/volumes.ts").credentials,
  }),
  "docker-model": () => ({ default: require("./infra/targets/docker/steps/volumes.ts").model }),
  "docker-ready": () => require("./infra/targets/docker/steps/ready.ts"),

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
