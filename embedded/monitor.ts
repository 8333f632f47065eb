import * as grpc from "@grpc/grpc-js";
import type { Alias as AliasMessage } from "@pulumi/pulumi/proto/alias_pb";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import * as engineProto from "@pulumi/pulumi/proto/engine_pb";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb";
import * as resourceProto from "@pulumi/pulumi/proto/resource_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { COMMAND_TYPE, COMMAND_VERSION } from "./command";
import { Stopped, type Engine } from "./engine";
import type { Alias, EmbeddedOptions, Goal } from "./types";
import type { Properties } from "./values";

/**
 * What the SDK may use. All that it asks for is granted, so that it sends what it has: what is not
 * supported is then refused by name, instead of by the SDK's advice to update the Pulumi CLI.
 */
const MESSAGE_BYTES = 400 * 1024 * 1024; // as the SDK

export interface MonitorServer {
  /** `127.0.0.1:<port>` */
  readonly address: string;
  /** Whether the program said that it has registered all it has. */
  programComplete(): boolean;
  close(): void;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- grpc-js itself has any here
type Unary = (request: any) => unknown;

/** Serves Pulumi's ResourceMonitor and Engine for one program. */
export async function serveMonitor(
  engine: Engine,
  options: Pick<EmbeddedOptions, "onEvent">,
): Promise<MonitorServer> {
  let rootUrn = "";
  let complete = false;
  const refuse = (what: string) => () => {
    engine.fail(`${what} is not supported by the embedded runner; use the Pulumi CLI`);
    throw new Stopped();
  };
  const server = new grpc.Server({
    "grpc.max_receive_message_length": MESSAGE_BYTES,
    "grpc.max_send_message_length": MESSAGE_BYTES,
  });

  server.addService(
    ResourceMonitorService,
    handlers({
      supportsFeature: () => {
        const response = new resourceProto.SupportsFeatureResponse();
        response.setHassupport(true);
        return response;
      },
      registerResource: async (request: resourceProto.RegisterResourceRequest) => {
        const unsupported = unsupportedIn(request);
        if (unsupported) {
          return refuse(`${request.getName()}: ${unsupported}`)();
        }
        const { resource, result } = await engine.register(goalOf(request));
        const response = new resourceProto.RegisterResourceResponse();
        response.setUrn(resource.urn);
        response.setId(resource.id ?? "");
        // A component's outputs may name resources that are not registered yet (pulumi#5978).
        const outputs = resource.custom ? (resource.outputs ?? {}) : {};
        response.setObject(Struct.fromJavaScript(outputs));
        response.setResult(result as number);
        return response;
      },
      registerResourceOutputs: (request: resourceProto.RegisterResourceOutputsRequest) => {
        engine.registerOutputs(request.getUrn(), propertiesOf(request.getOutputs()));
        return new Empty();
      },
      signalAndWaitForShutdown: () => {
        complete = true;
        return new Empty();
      },
      invoke: (request: resourceProto.ResourceInvokeRequest) =>
        refuse(`The function ${request.getTok()}`)(),
      call: (request: resourceProto.ResourceCallRequest) =>
        refuse(`The method ${request.getTok()}`)(),
      readResource: (request: resourceProto.ReadResourceRequest) =>
        refuse(`Reading the resource ${request.getName()} (${request.getType()})`)(),
      registerPackage: (request: resourceProto.RegisterPackageRequest) =>
        refuse(`The parameterized package ${request.getName()}`)(),
      registerStackTransform: refuse("A stack transform"),
      registerStackInvokeTransform: refuse("A stack invoke transform"),
      registerResourceHook: refuse("A resource hook"),
      registerErrorHook: refuse("An error hook"),
    }),
  );

  server.addService(
    EngineService,
    handlers({
      log: (request: engineProto.LogRequest) => {
        const severity = (["debug", "info", "warning", "error"] as const)[request.getSeverity()];
        const [message, urn] = [request.getMessage(), request.getUrn()];
        if (engine.stopping.aborted) {
          return new Empty(); // its words on having been cut off
        }
        if (severity === "error") {
          engine.errors.push(message);
        }
        if (severity && severity !== "debug") {
          options.onEvent({ kind: "log", severity, message, ...(urn && { urn }) });
        }
        return new Empty();
      },
      setRootResource: (request: engineProto.SetRootResourceRequest) => {
        rootUrn = request.getUrn();
        return new engineProto.SetRootResourceResponse();
      },
      getRootResource: () => {
        const response = new engineProto.GetRootResourceResponse();
        response.setUrn(rootUrn);
        return response;
      },
      requirePulumiVersion: refuse("requirePulumiVersion"),
      startDebugging: refuse("Debugging"),
    }),
  );

  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    programComplete: () => complete,
    close: () => server.forceShutdown(),
  };
}

/**
 * Functions as gRPC handlers. Any error is answered as UNAVAILABLE, to which the SDK ends the
 * program at once and without further words.
 */
function handlers(functions: Record<string, Unary>): grpc.UntypedServiceImplementation {
  const wrap =
    (handle: Unary): grpc.handleUnaryCall<unknown, unknown> =>
    (call, callback) => {
      new Promise((resolve) => resolve(handle(call.request))).then(
        (response) => callback(null, response),
        (error: Error) =>
          callback({
            code: grpc.status.UNAVAILABLE,
            details: error instanceof Stopped ? "the deployment was stopped" : error.message,
          }),
      );
    };
  return Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, wrap(f)]));
}

function propertiesOf(struct: unknown): Properties {
  return ((struct as Struct | undefined)?.toJavaScript() ?? {}) as Properties;
}

/** The first thing in a registration that would have to be ignored, by name. */
export function unsupportedIn(request: resourceProto.RegisterResourceRequest): string | undefined {
  const type = request.getType();
  if (request.getCustom() && type !== COMMAND_TYPE) {
    return `the resource type ${type}`;
  }
  if (request.getCustom() && ![COMMAND_VERSION, ""].includes(request.getVersion())) {
    return `version ${request.getVersion()} of @pulumi/command (it has to be ${COMMAND_VERSION})`;
  }
  const hooks = Object.values(request.getHooks()?.toObject() ?? {}).flat();
  const options: Record<string, boolean> = {
    "remote component": request.getRemote(),
    import: !!request.getImportid(),
    provider: !!request.getProvider(),
    providers: request.getProvidersMap().getLength() > 0,
    ignoreChanges: request.getIgnorechangesList().length > 0,
    retainOnDelete: !!request.getRetainondelete(),
    replaceWith: request.getReplaceWithList().length > 0,
    replacementTrigger: request.hasReplacementTrigger(),
    hideDiffs: request.getHidediffsList().length > 0,
    transforms: request.getTransformsList().length > 0,
    hooks: hooks.length > 0,
    pluginDownloadURL: !!request.getPlugindownloadurl(),
    envVarMappings: request.getEnvvarmappingsMap().getLength() > 0,
    package: !!request.getPackageref(),
    "customTimeouts.read": !!request.getCustomtimeouts()?.getRead(),
  };
  const found = Object.keys(options).find((name) => options[name]);
  return found && `the resource option ${found}`;
}

function goalOf(request: resourceProto.RegisterResourceRequest): Goal {
  const timeouts = request.getCustomtimeouts();
  const propertyDependencies: Record<string, string[]> = {};
  request.getPropertydependenciesMap().forEach((urns, name) => {
    propertyDependencies[name] = [...new Set(urns.getUrnsList())];
  });
  return {
    type: request.getType(),
    name: request.getName(),
    custom: request.getCustom(),
    inputs: propertiesOf(request.getObject()),
    parent: request.getParent(),
    ...(request.hasProtect() && { protect: request.getProtect() }),
    dependencies: [...new Set(request.getDependenciesList())],
    propertyDependencies,
    ...(request.getDeletebeforereplacedefined() && {
      deleteBeforeReplace: request.getDeletebeforereplace(),
    }),
    additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
    aliases: [
      ...request.getAliasurnsList().map((urn) => ({ urn })),
      ...request.getAliasesList().map(aliasOf),
    ],
    customTimeouts: {
      ...(timeouts?.getCreate() && { create: seconds(timeouts.getCreate()) }),
      ...(timeouts?.getUpdate() && { update: seconds(timeouts.getUpdate()) }),
      ...(timeouts?.getDelete() && { delete: seconds(timeouts.getDelete()) }),
    },
    replaceOnChanges: request.getReplaceonchangesList(),
    deletedWith: request.getDeletedwith(),
  };
}

function aliasOf(message: AliasMessage): Alias {
  const spec = message.getSpec();
  return spec
    ? {
        name: spec.getName(),
        type: spec.getType(),
        stack: spec.getStack(),
        project: spec.getProject(),
        parent: spec.getParenturn(),
        noParent: spec.getNoparent(),
      }
    : { urn: message.getUrn() };
}

const UNITS: Record<string, number> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
};

/** Seconds of a Go duration such as `1h30m`. */
export function seconds(duration: string): number {
  const parts = [...duration.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.map(([part]) => part).join("") !== duration) {
    throw new Error(`"${duration}" is no duration such as "30s" or "1h30m"`);
  }
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
}
