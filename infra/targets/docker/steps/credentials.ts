import { type StepVerbs } from "../../../stack/runStep";
import { readCredentials, type Credentials, type Generations } from "../../../stack/credentials";
import {
  configurationFiles,
  minioRegion,
  properties,
  sparkAuthentication,
} from "../../../services";
import { Docker } from "../daemon";
import { credentialsFolder, imagePaths, sparkMasterUrl, storeEndpoint } from "../place";
import { shortLived } from "../shortLived";

interface Spec {
  readonly generations: Generations;
  readonly volume: string;
  readonly image: string;
  readonly network: string;
  readonly volumes: Readonly<Record<string, number>>;
  readonly consoleUrl: string;
}

/** Reads lines of a name and a content in base64; each file is there whole or not at all. */
const write = [
  "set -e; umask 077",
  'while read -r name content; do printf %s "$content" | base64 -d >"$name.new"; mv "$name.new" "$name"; done',
].join("\n");

/** Writes the stack's secrets into the volume that containers read them from. */
export default {
  async create({ stack, spec }) {
    const credentials = readCredentials(stack);
    if (!credentials) throw new Error(`stack ${stack} has no credentials`);
    const files = Object.entries(filesOf(credentials, spec.consoleUrl));
    const mount = { volume: spec.volume, folder: credentialsFolder };
    Docker.of(stack).run(
      [...shortLived(stack, spec.image, mount), "bash", "-c", write],
      files.map(([name, text]) => `${name} ${Buffer.from(text).toString("base64")}\n`).join(""),
    );
    const { generations, network, volumes } = spec;
    return { files: files.length, generations, network, volumes };
  },
} satisfies StepVerbs<Spec>;

function filesOf(credentials: Credentials, consoleUrl: string): Record<string, string> {
  const { minioRootUser, minioRootPassword, sparkSecret, rayToken } = credentials;
  return {
    ...configurationFiles(credentials, consoleUrl),
    "ray-token": rayToken,
    "spark-secret": sparkSecret,
    // For people in `app`: pyspark finds the cluster and the store without further words.
    "spark-defaults.conf": properties({
      ...sparkAuthentication(sparkSecret),
      "spark.master": sparkMasterUrl,
      "spark.driver.extraClassPath": `${imagePaths.jars}/*`,
      "spark.executor.extraClassPath": `${imagePaths.jars}/*`,
      "spark.hadoop.fs.s3a.endpoint": storeEndpoint,
      "spark.hadoop.fs.s3a.endpoint.region": minioRegion,
      "spark.hadoop.fs.s3a.path.style.access": "true",
      "spark.hadoop.fs.s3a.access.key": minioRootUser,
      "spark.hadoop.fs.s3a.secret.key": minioRootPassword,
    }),
    "store.env": assignments({
      AWS_ENDPOINT_URL: storeEndpoint,
      AWS_REGION: minioRegion,
      AWS_ACCESS_KEY_ID: minioRootUser,
      AWS_SECRET_ACCESS_KEY: minioRootPassword,
    }),
  };
}

/** For a shell. */
function assignments(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join("");
}
