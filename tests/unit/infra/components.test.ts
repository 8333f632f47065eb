import * as fs from "node:fs";
import * as path from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const checkout = path.resolve(__dirname, "../../..");

function sourcesBelow(room: string): ts.SourceFile[] {
  const folder = path.join(checkout, room);
  return fs
    .readdirSync(folder, { encoding: "utf8", recursive: true })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => {
      const text = fs.readFileSync(path.join(folder, file), "utf8");
      return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    });
}

const declarations = ["infra", "pipelines"]
  .flatMap(sourcesBelow)
  .flatMap((file) => [...file.statements]);
const interfaces = new Map(
  declarations.filter(ts.isInterfaceDeclaration).map((each) => [each.name.text, each]),
);
const components = declarations
  .filter(ts.isClassDeclaration)
  .filter(({ heritageClauses = [] }) =>
    heritageClauses.some((clause) => clause.getText().includes("pulumi.ComponentResource")),
  );

/** The properties of an interface, with those of the interfaces that it extends. */
function propertiesOf(name: string): ts.TypeElement[] {
  const found = interfaces.get(name);
  if (!found) throw new Error(`no interface ${name}`);
  const extended = (found.heritageClauses ?? []).flatMap(({ types }) => [...types]);
  return [
    ...found.members,
    // Of `Omit<Args, "a">`, too.
    ...extended.flatMap((each) => propertiesOf(/(\w+Args)\b/.exec(each.getText())![1])),
  ];
}

describe.each(components.map((each) => [each.name!.text, each] as const))("%s", (_, component) => {
  const { parameters } = component.members.find(ts.isConstructorDeclaration)!;
  const types = parameters.map(({ type }) => type!.getText());

  it("is made with a name, its arguments and a resource's options", () => {
    expect(parameters.map((each) => (each.name as ts.Identifier).text)).toEqual([
      ...["name", "args", "opts"],
    ]);
    expect(types).toEqual([
      "string",
      expect.stringMatching(/^\w+Args$/),
      "pulumi.ComponentResourceOptions",
    ]);
  });

  it("says of each argument what it is, with an example, and what it is by default", () => {
    for (const property of propertiesOf(types[1])) {
      const words = ts
        .getJSDocCommentsAndTags(property)
        .map((each) => each.getText())
        .join();
      const name = property.name!.getText();
      expect(words, name).toMatch(/\/\*\*[\s*]+[A-Z]/);
      expect(words, name).toContain("@example");
      expect(words.includes("@default"), name).toBe(property.questionToken !== undefined);
    }
  });
});

it("finds the components", () => {
  expect(components.length).toBeGreaterThan(10);
});
