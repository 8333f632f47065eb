import { type StepVerbs } from "../../../stack/runStep";
import { readCredentials, type Credentials, type Generations } from "../../../stack/credentials";
import { Docker } from "../daemon";
import { credentialsFolder, imagePaths, sparkMasterUrl, storeEndpoint } from "../inside";
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
  const region = "us-east-1";
  return {
    "minio.env": assignments(doubleQuoted, {
      MINIO_ROOT_USER: minioRootUser,
      MINIO_ROOT_PASSWORD: minioRootPassword,
      MINIO_BROWSER_REDIRECT_URL: consoleUrl,
      MINIO_SITE_REGION: region,
      MINIO_UPDATE: "off",
      MINIO_CALLHOME_ENABLE: "off",
    }),
    "ray-token": rayToken,
    "spark-secret": sparkSecret,
    "spark-daemons.conf": properties({
      ...authentication(sparkSecret),
      "spark.master.rest.enabled": "false",
      "spark.ui.killEnabled": "false",
      "spark.worker.cleanup.enabled": "true",
      "spark.worker.cleanup.interval": "600",
      "spark.worker.cleanup.appDataTtl": "3600",
      "spark.deploy.retainedApplications": "50",
    }),
    // For people in `app`: pyspark finds the cluster and the store without further words.
    "spark-defaults.conf": properties({
      ...authentication(sparkSecret),
      "spark.master": sparkMasterUrl,
      "spark.driver.extraClassPath": `${imagePaths.jars}/*`,
      "spark.executor.extraClassPath": `${imagePaths.jars}/*`,
      "spark.hadoop.fs.s3a.endpoint": storeEndpoint,
      "spark.hadoop.fs.s3a.endpoint.region": region,
      "spark.hadoop.fs.s3a.path.style.access": "true",
      "spark.hadoop.fs.s3a.access.key": minioRootUser,
      "spark.hadoop.fs.s3a.secret.key": minioRootPassword,
    }),
    "store.env": assignments(singleQuoted, {
      AWS_ENDPOINT_URL: storeEndpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: minioRootUser,
      AWS_SECRET_ACCESS_KEY: minioRootPassword,
    }),
  };
}

function authentication(secret: string): Record<string, string> {
  return { "spark.authenticate": "true", "spark.authenticate.secret": secret };
}

function assignments(
  quoted: (value: string) => string,
  values: Readonly<Record<string, string>>,
): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quoted(value)}\n`)
    .join("");
}

/** MinIO takes away the quotes around a value and leaves the rest as it is. */
function doubleQuoted(value: string): string {
  return `"${value}"`;
}

/** For a shell. */
function singleQuoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

/** The format of java.util.Properties, in which a backslash is doubled. */
function properties(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value.replaceAll("\\", "\\\\")}\n`)
    .join("");
}
