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

  "s3-store": () => ({ default: require("./infra/stores/steps.ts").s3Store }),
  "s3-bucket": () => ({ default: require("./infra/stores/steps.ts").s3Bucket }),
  "aws-store": () => ({ default: require("./infra/stores/steps.ts").awsStore }),
  "minio-bucket": () => ({ default: require("./infra/stores/steps.ts").minioBucket }),
  upload: () => ({ default: require("./infra/stores/steps.ts").upload }),

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

  dataset: () => ({ default: require("./pipelines/steps/data.ts").dataset }),
  "existing-dataset": () => ({ default: require("./pipelines/steps/data.ts").existingDataset }),
  inspection: () => ({ default: require("./pipelines/steps/data.ts").inspection }),
  "output-prefix": () => ({ default: require("./pipelines/steps/data.ts").outputPrefix }),
  oracle: () => ({ default: require("./pipelines/steps/run.ts").oracle }),
  run: () => ({ default: require("./pipelines/steps/run.ts").run }),
  report: () => ({ default: require("./report/renderReport.ts").reportStep }),
};

const [kind, verb] = process.argv.slice(2);
if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { runStep } = require("./infra/stack/runStep.ts");
  await runStep(verb, Object.hasOwn(kinds, kind ?? "") ? kinds[kind] : undefined);
}
