import * as fs from "node:fs";
import * as path from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

const folder = path.resolve(__dirname, "../../../infra/stores/aws");

/** What the compiler says of a program beside the store's files. */
function complaints(source: string): string[] {
  const file = path.join(folder, "written.ts");
  const { config } = ts.readConfigFile(path.resolve(folder, "../../../tsconfig.json"), (name) =>
    ts.sys.readFile(name),
  ) as { config: { compilerOptions: object } };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, folder);
  const host = ts.createCompilerHost(options);
  host.fileExists = (name) => name === file || ts.sys.fileExists(name);
  host.readFile = (name) => (name === file ? source : ts.sys.readFile(name));
  const program = ts.createProgram([file], { ...options, noEmit: true, types: [] }, host);
  const found = program.getSemanticDiagnostics(program.getSourceFile(file));
  return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

it("has the compiler refuse a misspelt property of a resource", { timeout: 120_000 }, () => {
  const block = (property: string) =>
    'import { BucketPublicAccessBlock } from "@pulumi/aws/s3/bucketPublicAccessBlock";\n' +
    `new BucketPublicAccessBlock("a", { bucket: "b", ${property}: true });\n`;
  expect(complaints(block("blockPublicAcls"))).toEqual([]);
  expect(complaints(block("blockPublicAcl")).join()).toContain("'blockPublicAcl' does not exist");
});

it("no resource is registered by a type in a string", () => {
  const infra = path.resolve(folder, "../..");
  const files = fs.readdirSync(infra, { encoding: "utf8", recursive: true });
  const written = files
    .filter((file) => file.endsWith(".ts"))
    .map((file) => fs.readFileSync(path.join(infra, file), "utf8"))
    .filter((text) =>
      /extends (pulumi\.)?CustomResource|"(aws|docker|command):\w+\/\w+:/.test(text),
    );
  expect(written).toEqual([]);
});
