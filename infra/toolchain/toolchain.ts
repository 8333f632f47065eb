import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../settings/schema";
import type { DeviceName } from "../contracts/platform";
import { lockHash, minioVersion, pythonHash, packingCode, toxiproxyVersion } from "./locks";
import { step } from "../stack/step";
import type { Inspected } from "../stack/records";
import type { ToolName } from "./tools";

export interface ToolchainArgs {
  /**
   * The settings; `modelPath` names a custom model.
   *
   * @example { modelPath: "models/mine.onnx" }
   */
  readonly settings: Pick<Settings, "modelPath">;
  /**
   * What models run on; `cuda` installs ONNX Runtime with CUDA.
   *
   * @example "cpu"
   */
  readonly device: DeviceName;
  /**
   * Identity of the model file.
   *
   * @example modelIdentity(settings)
   */
  readonly model: string;
  /**
   * Which tools the stack has already.
   *
   * @example inspected(stack, existingTools(stack))
   */
  readonly observed: Inspected;
  /**
   * Whether MinIO is among the tools.
   *
   * @example true
   */
  readonly minio: boolean;
  /**
   * Whether Toxiproxy is among the tools.
   *
   * @default false
   * @example true
   */
  readonly toxiproxy?: boolean;
  /**
   * Whether what Python workers of other machines import is packed for them.
   *
   * @default false
   * @example true
   */
  readonly packages?: boolean;
}

/** A tool of the toolchain, and what makes those that use it start again. */
export interface Tool {
  readonly resource: pulumi.Resource;
  /** Changes with the tool's content, and when it was made again. */
  readonly identity: string;
}

/** All that services and jobs run from, installed side by side into the shared cache. */
export class Toolchain extends pulumi.ComponentResource {
  /** The locked Python environment, with Spark, Ray, Daft and supervisor. */
  readonly python: Tool;
  /** The jars that let Spark speak S3. */
  readonly jars: Tool;
  readonly minioBinary?: Tool;
  readonly toxiproxyBinary?: Tool;
  /** What Python workers of other machines import. */
  readonly packages?: Tool;
  readonly model: Tool;

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

    this.python = tool("python", { lock: pythonHash(device), device });
    const onPython = [this.python.resource];
    if (args.minio) {
      this.minioBinary = tool("minio-binary", { version: minioVersion });
    }
    if (args.toxiproxy) {
      this.toxiproxyBinary = tool("toxiproxy-binary", { version: toxiproxyVersion });
    }
    this.jars = tool("jars", { lock: lockHash("jars") }, onPython);
    if (args.packages) {
      const content = { lock: pythonHash(device), code: packingCode() };
      this.packages = tool("packages", content, onPython);
    }
    const file = { model, ...(modelPath ? { modelPath } : {}) };
    this.model = tool("model", file, onPython);
    this.registerOutputs();
  }

  get all(): pulumi.Resource[] {
    const { python, jars, minioBinary, toxiproxyBinary, packages, model } = this;
    return [python, jars, minioBinary, toxiproxyBinary, packages, model].flatMap((tool) =>
      tool ? [tool.resource] : [],
    );
  }
}
