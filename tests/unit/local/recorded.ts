import * as pulumi from "@pulumi/pulumi";

/** One registration as the program sent it. */
export interface Recorded {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  readonly parent: string;
  readonly dependencies: readonly string[];
  readonly deletedWith: string;
  readonly protect: boolean;
  /** How long its creation may take; empty: what the provider has. */
  readonly createTimeout: string;
  /** Of the provider. */
  readonly version: string;
  /** Names of hooks. */
  readonly beforeCreate: readonly string[];
  readonly inputs: Inputs;
}

/** Inputs of a Command; a component has none of them. */
export interface Inputs {
  readonly create: string;
  readonly update?: string;
  readonly delete?: string;
  readonly triggers?: unknown;
  readonly stdin?: unknown;
  readonly environment: { readonly SPEC: string; readonly STEP?: string };
}

interface Request {
  getType(): string;
  getName(): string;
  getParent(): string;
  getDependenciesList(): string[];
  getDeletedwith(): string;
  getProtect(): boolean;
  getCustomtimeouts(): { getCreate(): string } | undefined;
  getVersion(): string;
  getHooks(): { getBeforeCreateList(): string[] } | undefined;
  getObject(): { toJavaScript(): unknown };
}

interface Monitor {
  registerResource(request: Request, callback: (error: unknown, response: Response) => void): void;
  /** Which the mocks lack. */
  registerErrorHook?: (request: unknown, callback: (error: unknown) => void) => void;
  registerResourceHook?: (request: unknown, callback: (error: unknown) => void) => void;
}

interface Response {
  getUrn(): string;
}

/**
 * Runs `declare` against Pulumi's mocks and returns what it registered, with the dependencies and
 * parents that the mocks themselves hide.
 *
 * @param stdout what a Command of that name has printed
 */
export async function record(
  stack: string,
  declare: () => unknown,
  stdout: (name: string) => string = () => "{}",
): Promise<Recorded[]> {
  await pulumi.runtime.setMocks(
    {
      newResource: ({ name, inputs, type }) => ({
        id: `${name}-id`,
        state: {
          ...(inputs as Record<string, unknown>),
          ...(type === "command:local:Command" ? { stdout: stdout(name) } : {}),
          ...(type.startsWith("aws:") ? { arn: `arn of ${name}` } : {}),
        },
      }),
      call: ({ inputs }) => inputs as Record<string, unknown>,
    },
    "engine-comparison",
    stack,
    false,
  );
  const found: Recorded[] = [];
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) =>
    register(request, (error, response) => {
      if (!error) found.push(recorded(request, response));
      callback(error, response);
    });
  monitor.registerErrorHook ??= (_request, callback) => callback(null);
  monitor.registerResourceHook ??= (_request, callback) => callback(null);
  await pulumi.runtime.runInPulumiStack(async () => void (await declare()));
  await pulumi.runtime.disconnect();
  return found.sort((a, b) => (a.urn < b.urn ? -1 : 1));
}

/** Registrations inside a component that are not named after it: `<component>` or `<component>-...`. */
export function otherNames(all: readonly Pick<Recorded, "type" | "name" | "parent">[]): string[] {
  return all.flatMap(({ type, name, parent }) => {
    const [, , parentTypes = "", component = ""] = parent.split("::");
    if (parentTypes === "" || parentTypes === "pulumi:pulumi:Stack") return [];
    return name === component || name.startsWith(`${component}-`) ? [] : [`${type} ${name}`];
  });
}

function recorded(request: Request, response: Response): Recorded {
  return {
    type: request.getType(),
    name: request.getName(),
    urn: response.getUrn(),
    parent: request.getParent(),
    dependencies: [...request.getDependenciesList()].sort(),
    deletedWith: request.getDeletedwith(),
    protect: request.getProtect(),
    createTimeout: request.getCustomtimeouts()?.getCreate() ?? "",
    version: request.getVersion(),
    beforeCreate: request.getHooks()?.getBeforeCreateList() ?? [],
    inputs: request.getObject().toJavaScript() as Inputs,
  };
}
