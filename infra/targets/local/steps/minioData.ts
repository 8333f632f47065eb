import * as fs from "node:fs";
import { type StepVerbs } from "../../../stack/runStep";
import { stackFiles, writeWhole } from "../../../stack/files";

/** The drive that MinIO stores on. What is in it is gone with it. */
export default {
  async create({ stack, spec }) {
    fs.mkdirSync(stackFiles(stack).minioData, { recursive: true, mode: 0o700 });
    writeWhole(stackFiles(stack).minioDataId, spec.generation);
    return { data: "minio/data" };
  },
  async delete({ stack }) {
    fs.rmSync(stackFiles(stack).minio, { recursive: true, force: true });
  },
} satisfies StepVerbs<{ readonly generation: string }>;
