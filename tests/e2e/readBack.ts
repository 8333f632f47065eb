import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { cacheFolder } from "../../infra/host/folders";
import { checkout, type TestStack } from "./stack";

/** What the readers of published runs are told: the stack's outputs, and what the data depend on. */
export interface Published {
  readonly minioEndpoint: string;
  readonly runs: Readonly<Record<string, { readonly key: string }>>;
  readonly fareAbove: number;
  readonly photos: number;
}

/** The Python that the stack's jobs run in. */
export function pythonOf(stack: TestStack): string {
  const standing = path.join(stack.folder, "records", "python.json");
  const { result } = JSON.parse(fs.readFileSync(standing, "utf8")) as { result: { entry: string } };
  return path.join(cacheFolder(), result.entry, "bin", "python");
}

/** Reads what a stack has published by other code than the engines'. @returns what is wrong */
export function readBack(stack: TestStack, published: Published): string[] {
  const { minioRootUser, minioRootPassword } = stack.credentials();
  const { minioEndpoint: endpoint, runs, fareAbove, photos } = published;
  const answer = execFileSync(pythonOf(stack), [path.join(checkout, "tests/e2e/readBack.py")], {
    input: JSON.stringify({
      store: { endpoint, accessKey: minioRootUser, secretKey: minioRootPassword },
      fareAbove,
      photos,
      runs: Object.fromEntries(Object.entries(runs).map(([name, { key }]) => [name, key])),
    }),
    encoding: "utf8",
  });
  return (JSON.parse(answer) as { wrong: string[] }).wrong;
}
