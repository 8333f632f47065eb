import * as fs from "node:fs";
import * as path from "node:path";
import { stringify } from "yaml";
import { stackFolder } from "../../infra/host/folders";
import type { Configuration } from "../config";
import type { Project } from "../project";
import { writeStackFile } from "../stackFile";

/**
 * Writes a project folder for the CLI into the stack folder: Pulumi.yaml, which points to the
 * checkout's program, and `Pulumi.<stack>.yaml` with all that is set. The CLI writes into the
 * latter, and remembers a selected stack for the former, so the checkout is left as it is.
 *
 * @returns the folder
 */
export async function writeProjectFolder(
  project: Project,
  stack: string,
  configuration: Configuration,
  passphrase: () => string,
): Promise<string> {
  const folder = path.join(stackFolder(stack), "pulumi");
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, "Pulumi.yaml");
  fs.writeFileSync(`${file}.${process.pid}`, stringify({ ...project.file, main: project.folder }));
  fs.renameSync(`${file}.${process.pid}`, file);
  await writeStackFile(
    path.join(folder, `Pulumi.${stack}.yaml`),
    project,
    configuration.set,
    passphrase,
  );
  return folder;
}
