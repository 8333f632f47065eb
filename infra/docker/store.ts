import { readStanding } from "../standing";
import { readyStep } from "./found";

/** The number of the data volume that MinIO was last seen healthy on. */
export function recordedVolume(stack: string): number | undefined {
  const number = readStanding(stack, readyStep("minio"))?.result.data;
  return number === undefined ? undefined : Number(number);
}
