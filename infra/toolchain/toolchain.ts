import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../settings/schema";
import type { DeviceName } from "../contracts/platform";
import { lockHash, minioVersion, pythonHash, packingCode, toxiproxyVersion } from "./locks";
import { step } from "../stack/step";
import type { Inspected } from "../stack/records";
import type { ToolName } from "./tools";

export interface ToolchainArgs {
  /** The settings; `modelPath` names a custom model. @example { modelPath: "models/mine.onnx" } */
  readonly settings: Pick<Settings, "modelPath">;
  /** What models run on; `cuda` installs ONNX Runtime with CUDA. @example "cpu" */
  readonly device: DeviceName;
  /** Identity of the model file. @example modelIdentity(settings) */
  readonly model: string;
  /** Which tools the stack has already. @example inspected(stack, existingTools(stack)) */
  readonly observed: Inspected;
  /** Tools besides Python, the jars and the model. @example ["minio-binary"] */
  readonly more: readonly MoreTool[];
}

type MoreTool = Exclude<ToolName, "python" | "jars" | "model">;

/** A tool of the toolchain, and what makes those that use it start again. */
interface Tool {
  readonly resource: pulumi.Resource;
  /** Changes with the tool's content, and when it was made again. */
  readonly identity: string;
}

/** All that services and jobs run from, installed side by side into the shared cache. */
export class Toolchain extends pulumi.ComponentResource {
  /** The locked Python environment, with Spark, Ray, Daft and supervisor. */
  readonly python: Tool;
  readonly more: ReadonlyMap<MoreTool, Tool>;
  readonly all: readonly pulumi.Resource[];

  constructor(name: string, args: ToolchainArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:local:Toolchain", name, {}, opts);
    const { settings, device, model, observed } = args;
    const { modelPath } = settings;
    const tool = (
      tool: ToolName,
      content: Readonly<Record<string, string>>,
      dependsOn: pulumi.Resource[] = [],
    ): Tool => {
      const generation = observed.generation(tool);
      const spec = { ...content, generation };
      return {
        resource: step(
          `${name}-${tool}`,
          { kind: tool, record: tool, spec },
          { parent: this, dependsOn },
        ),
        identity: [...Object.values(content), generation].join("."),
      };
    };

    const lock = pythonHash(device);
    this.python = tool("python", { lock, device });
    const onPython = [this.python.resource];
    const declare: Readonly<Record<MoreTool, () => Tool>> = {
      "minio-binary": () => tool("minio-binary", { version: minioVersion }),
      "toxiproxy-binary": () => tool("toxiproxy-binary", { version: toxiproxyVersion }),
      // What Python workers of other machines import.
      packages: () => tool("packages", { lock, code: packingCode() }, onPython),
    };
    this.more = new Map(args.more.map((name) => [name, declare[name]()]));
    // The jars let Spark speak S3.
    const jars = tool("jars", { lock: lockHash("jars") }, onPython);
    const file = tool("model", { model, ...(modelPath ? { modelPath } : {}) }, onPython);
    const tools = [this.python, ...this.more.values(), jars, file];
    this.all = tools.map(({ resource }) => resource);
    this.registerOutputs();
  }
}
