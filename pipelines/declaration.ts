import * as fs from "node:fs";
import * as path from "node:path";
import { checkout } from "../infra/host/folders";
import { UserError } from "../infra/contracts/errors";

/** Where the Python package is. */
export const packageFolder = path.join(checkout, "pipelines", "engine_comparison");

/**
 * A file of the Python package, as far as it can be read without Python: a preview runs none. What
 * it declares are class attributes of one line, a string or a tuple of strings in double quotes:
 *
 *     label: ClassVar[str] = "Ray Data"
 *     settings: ClassVar[tuple[str, ...]] = ("rayCompute",)
 */
export class Declaration {
  /** The file's name without `.py`, with dashes. */
  readonly name: string;
  private readonly text: string;

  /** @throws UserError where the file says that its name is another one */
  constructor(private readonly file: string) {
    this.text = fs.readFileSync(file, "utf8");
    this.name = path.basename(file, ".py").replaceAll("_", "-");
  }

  /** Whether a line of the file matches. */
  has(line: RegExp): boolean {
    return this.text.split(/\r?\n/).some((each) => line.test(each));
  }

  /** @throws UserError where the file gives itself another name than its place does */
  checkName(): void {
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(this.name)) {
      throw this.wrong("a name that is not of lower-case letters and digits", "rename it");
    }
    this.oneOf("name", [this.name]);
  }

  /** @throws UserError where it is no string on one line, or missing without a fallback */
  string(attribute: string, fallback?: string): string {
    const value = this.value(attribute) ?? fallback;
    if (typeof value === "string") return value;
    throw this.wrong(
      value === undefined ? `no \`${attribute}\`` : `a \`${attribute}\` that is no string`,
      `write   ${attribute}: ClassVar[str] = "..."   in its class`,
    );
  }

  /** @throws UserError where it is none of the values */
  oneOf<Value extends string>(
    attribute: string,
    values: readonly Value[],
    fallback?: Value,
  ): Value {
    const value = this.string(attribute, fallback);
    const found = values.find((one) => one === value);
    if (found !== undefined) return found;
    throw this.wrong(`the \`${attribute}\` "${value}"`, `write one of ${values.join(", ")}`);
  }

  /** A tuple, empty where nothing is declared. @throws UserError where one is none of the values */
  someOf<Value extends string>(attribute: string, values: readonly Value[]): Value[] {
    const list = this.value(attribute) ?? [];
    const wrong =
      typeof list === "string" ? list : list.find((one) => !values.some((value) => value === one));
    if (typeof list !== "string" && wrong === undefined) return list as Value[];
    throw this.wrong(
      `"${wrong}" as \`${attribute}\``,
      `write a tuple of some of ${values.join(", ")}`,
    );
  }

  /** A complaint about the file in three parts. */
  wrong(what: string, fix: string): UserError {
    return new UserError(
      `${path.relative(checkout, this.file)} has ${what}`,
      "a file of that folder is found by its place and says itself what it is",
      `${fix} (docs/adding-an-engine.md), or take the file away`,
    );
  }

  private value(attribute: string): string | string[] | undefined {
    const assigned = new RegExp(`^ {4}${attribute}(?:: [^=]+)? = (.*)$`, "gm");
    const [literal, ...more] = [...this.text.matchAll(assigned)].map(([, right]) => right.trim());
    if (literal === undefined) return undefined;
    const strings = [...literal.matchAll(/"([^"\\]*)"/g)].map(([, text]) => text);
    if (more.length === 0 && /^"[^"\\]*"$/.test(literal)) return strings[0];
    if (more.length === 0 && /^\((?:"[^"\\]*", )*(?:"[^"\\]*",?)?\)$/.test(literal)) return strings;
    throw this.wrong(
      more.length > 0
        ? `more than one \`${attribute}\``
        : `a \`${attribute}\` that can't be read: ${literal}`,
      "write it once, on one line, in double quotes",
    );
  }
}

/**
 * The Python files of a folder, the known first, then the others by name, so that a new one does not
 * upset the order. Those whose names begin with `_` are no one's but the folder's.
 */
export function declarations(folder: string, known: readonly string[]): Declaration[] {
  const place = ({ name }: Declaration) => (known.includes(name) ? known.indexOf(name) : Infinity);
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith(".py") && !name.startsWith("_"))
    .sort()
    .map((name) => new Declaration(path.join(folder, name)))
    .sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}
