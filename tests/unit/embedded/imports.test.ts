import * as fs from "node:fs";
import * as path from "node:path";
import { expect, it } from "vitest";

const folder = path.resolve("embedded");
const sources = fs.readdirSync(folder).filter((file) => file.endsWith(".ts"));
const allowed =
  /^(\.\/\w+|node:\w+|@grpc\/grpc-js|@pulumi\/pulumi\/[\w/]+|google-protobuf\/[\w/]+|p-limit|zod)$/;

it.each(sources)("embedded/%s imports and names nothing of this project", (file) => {
  const text = fs.readFileSync(path.join(folder, file), "utf8");
  const imported = [...text.matchAll(/(?:from|import|require(?:\.resolve)?)\s*\(?\s*"([^"]+)"/g)];
  expect(imported.map(([, name]) => name).filter((name) => !allowed.test(name))).toEqual([]);
  expect(text).not.toMatch(/engine-comparison|docs\//);
});
