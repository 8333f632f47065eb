// The one entry of all scripts behind the program's Commands:
//
//   node steps.mjs <kind> <verb>
//
// States record this line, so a kind's name is kept; where its code is may change.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);

/** @type {Readonly<Record<string, () => object>>} */
export const kinds = {
  stack: () => require("./infra/stack/owner.ts").stackVerbs,
  credentials: () => require("./infra/stack/credentials.ts").credentialsVerbs,

  python: () => require("./infra/toolchain/steps.ts").python,
  jars: () => require("./infra/toolchain/steps.ts").jars,
  "minio-binary": () => require("./infra/toolchain/steps.ts").minioBinary,
  "toxiproxy-binary": () => require("./infra/toolchain/steps.ts").toxiproxyBinary,
  model: () => require("./infra/toolchain/steps.ts").model,
  packages: () => require("./infra/toolchain/steps.ts").packages,

  "s3-store": () => require("./infra/stores/steps.ts").s3Store,
  "s3-bucket": () => require("./infra/stores/steps.ts").s3Bucket,
  "aws-store": () => require("./infra/stores/steps.ts").awsStore,
  "minio-bucket": () => require("./infra/stores/steps.ts").minioBucket,
  upload: () => require("./infra/stores/steps.ts").upload,

  "local-supervisor": () => require("./infra/targets/local/services.ts").supervisor,
  "local-minio-data": () => require("./infra/targets/local/services.ts").minioData,
  "local-service": () => require("./infra/targets/local/services.ts").service,

  "docker-cleanup": () => require("./infra/targets/docker/scripts.ts").cleanup,
  "docker-credentials": () => require("./infra/targets/docker/scripts.ts").credentials,
  "docker-model": () => require("./infra/targets/docker/scripts.ts").model,
  "docker-ready": () => require("./infra/targets/docker/scripts.ts").ready,

  "cluster-record": () => require("./infra/targets/cluster/executor.ts").clusterRecord,

  dataset: () => require("./pipelines/steps/data.ts").dataset,
  "existing-dataset": () => require("./pipelines/steps/data.ts").existingDataset,
  inspection: () => require("./pipelines/steps/data.ts").inspection,
  "output-prefix": () => require("./pipelines/steps/data.ts").outputPrefix,
  oracle: () => require("./pipelines/steps/run.ts").oracle,
  run: () => require("./pipelines/steps/run.ts").run,
  report: () => require("./report/renderReport.ts").reportStep,
};

const [kind, verb] = process.argv.slice(2);
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  require("./infra/host/typeScript.cjs");
  const { runStep } = require("./infra/stack/runStep.ts");
  await runStep(verb, Object.hasOwn(kinds, kind ?? "") ? kinds[kind] : undefined);
}
