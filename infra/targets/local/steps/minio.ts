import * as fs from "node:fs";
import * as path from "node:path";
import { places } from "../../../stack/places";
import { get } from "../../../host/network";
import { readCredentials } from "../../../stack/credentials";
import { toolFolder } from "../../../toolchain/tools";
import { serviceStep } from "./service";

export interface MinioSpec {
  readonly ports: { readonly api: number; readonly console: number };
}

const endpoint = ({ ports }: MinioSpec) => `http://127.0.0.1:${ports.api}`;
const consoleUrl = ({ ports }: MinioSpec) => `http://127.0.0.1:${ports.console}`;

export default serviceStep<MinioSpec>({
  service: ({ stack, spec }) => ({
    argv: [
      path.join(toolFolder(stack, "minio-binary"), "minio"),
      ...["server", "--quiet", "--address", `127.0.0.1:${spec.ports.api}`],
      ...["--console-address", `127.0.0.1:${spec.ports.console}`, places(stack).minioData],
    ],
    env: { MINIO_CONFIG_ENV_FILE: writeConfiguration(stack, spec) },
    directory: places(stack).minio,
    stopSeconds: 10,
    startSeconds: 120,
    healthy: async () =>
      (await get(`${endpoint(spec)}/minio/health/ready`)) !== undefined &&
      (await get(consoleUrl(spec))) !== undefined,
  }),
  result: (spec) => ({ endpoint: endpoint(spec), console: consoleUrl(spec), ports: spec.ports }),
  clean: ({ stack }) => fs.rmSync(configuration(stack), { force: true }),
});

function configuration(stack: string): string {
  return path.join(places(stack).minio, "minio.env");
}

/** A file for this user alone, because a process's environment and arguments are seen too easily. */
function writeConfiguration(stack: string, spec: MinioSpec): string {
  const credentials = readCredentials(stack);
  if (!credentials) throw new Error(`stack ${stack} has no credentials`);
  const values = {
    MINIO_ROOT_USER: credentials.minioRootUser,
    MINIO_ROOT_PASSWORD: credentials.minioRootPassword,
    MINIO_BROWSER_REDIRECT_URL: consoleUrl(spec),
    MINIO_SITE_REGION: "us-east-1",
    MINIO_UPDATE: "off",
    MINIO_CALLHOME_ENABLE: "off",
  };
  const file = configuration(stack);
  const lines = Object.entries(values).map(([name, value]) => `${name}="${value}"\n`);
  fs.writeFileSync(file, lines.join(""), { mode: 0o600 });
  return file;
}
