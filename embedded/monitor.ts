import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { EngineService, type IEngineServer } from "@pulumi/pulumi/proto/engine_grpc_pb";
import * as engineProto from "@pulumi/pulumi/proto/engine_pb";
import {
  ResourceMonitorService,
  type IResourceMonitorServer,
} from "@pulumi/pulumi/proto/resource_grpc_pb";
import * as resourceProto from "@pulumi/pulumi/proto/resource_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { commandType, commandVersion } from "./command";
import type { Engine } from "./engine";
import { Stopped } from "./errors";
import type { Goal, RunOptions } from "./types";
import { mapValues, type Properties } from "./values";

const messageBytes = 400 * 1024 * 1024; // as the SDK

/** The methods of a service as plain functions; the interface has any other name, too. */
type Methods<Service> = {
  [
    Name in keyof Service as string extends Name ? never : Name
  ]?: Service[Name] extends grpc.handleUnaryCall<infer Request, infer Response>
    ? (request: Request) => Response | Promise<Response>
    : never;
};

/**
 * Serves Pulumi's ResourceMonitor and Engine for one program.
 *
 * @param opening what answers; whatever the program asks before waits for it
 */
export async function serveMonitor(opening: Promise<Engine>, { onEvent }: RunOptions) {
  let rootUrn = "";
  let complete = false;
  const refuse = async (what: string): Promise<never> => {
    (await opening).fail(`${what} is not supported by the embedded runner; use the Pulumi CLI`);
    throw new Stopped("the deployment was stopped");
  };
  const server = new grpc.Server({
    "grpc.max_receive_message_length": messageBytes,
    "grpc.max_send_message_length": messageBytes,
  });

  server.addService(
    ResourceMonitorService,
    handlers<IResourceMonitorServer>({
      // The SDK then sends all it has. What is not supported is refused by name, which is better
      // than the SDK's advice to update the Pulumi CLI.
      supportsFeature: () => new resourceProto.SupportsFeatureResponse().setHassupport(true),
      registerResource: async (request) => {
        const unsupported = unsupportedIn(request);
        if (unsupported) return refuse(`${request.getName()}: ${unsupported}`);
        const engine = await opening;
        const { resource, result } = await engine.register(goalOf(request));
        // A component's outputs may name resources that are not registered yet (pulumi#5978).
        const outputs = resource.custom ? (resource.outputs ?? {}) : {};
        return new resourceProto.RegisterResourceResponse()
          .setUrn(resource.urn)
          .setId(resource.id ?? "")
          .setObject(Struct.fromJavaScript(outputs))
          .setResult(result);
      },
      registerResourceOutputs: async (request) => {
        (await opening).registerOutputs(request.getUrn(), propertiesOf(request.getOutputs()));
        return new Empty();
      },
      signalAndWaitForShutdown: () => {
        complete = true;
        return new Empty();
      },
      invoke: (request) => refuse(`The function ${request.getTok()}`),
      call: (request) => refuse(`The method ${request.getTok()}`),
      readResource: (request) =>
        refuse(`Reading the resource ${request.getName()} (${request.getType()})`),
      registerPackage: (request) => refuse(`The parameterized package ${request.getName()}`),
      registerStackTransform: () => refuse("A stack transform"),
      registerStackInvokeTransform: () => refuse("A stack invoke transform"),
      registerResourceHook: () => refuse("A resource hook"),
      registerErrorHook: () => refuse("An error hook"),
    }),
  );

  server.addService(
    EngineService,
    handlers<IEngineServer>({
      log: async (request) => {
        const engine = await opening;
        const severity = (["debug", "info", "warning", "error"] as const)[request.getSeverity()];
        const [message, urn] = [request.getMessage(), request.getUrn()];
        // Once the deployment stops, the SDK only reports that it was cut off.
        if (engine.stopping.aborted || severity === "debug") return new Empty();
        if (severity === "error") engine.errors.push(message);
        onEvent({ kind: "log", severity, message, ...(urn && { urn }) });
        return new Empty();
      },
      setRootResource: (request) => {
        rootUrn = request.getUrn();
        return new engineProto.SetRootResourceResponse();
      },
      getRootResource: () => new engineProto.GetRootResourceResponse().setUrn(rootUrn),
      requirePulumiVersion: () => refuse("requirePulumiVersion"),
      startDebugging: () => refuse("Debugging"),
    }),
  );

  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind("127.0.0.1:0", grpc.ServerCredentials.createInsecure());
  return {
    address: `127.0.0.1:${port}`,
    /** Whether the program has registered all its resources. */
    programComplete: () => complete,
    close: () => server.forceShutdown(),
  };
}

/**
 * Functions as gRPC handlers. Any error is answered as UNAVAILABLE, to which the SDK ends the
 * program at once and without further words.
 */
function handlers<Service>(methods: Methods<Service>): grpc.UntypedServiceImplementation {
  const wrap =
    (method: (request: unknown) => unknown): grpc.handleUnaryCall<unknown, unknown> =>
    ({ request }, callback) => {
      new Promise((resolve) => resolve(method(request))).then(
        (response) => callback(null, response),
        ({ message }: Error) => callback({ code: grpc.status.UNAVAILABLE, details: message }),
      );
    };
  return mapValues(methods as Record<string, (request: unknown) => unknown>, wrap);
}

function propertiesOf(struct: Struct | undefined): Properties {
  return struct?.toJavaScript() ?? {};
}

/** What the SDK itself asks for with every Command. */
const replacedOn = "triggers[*]";

/** The first thing in a registration that would have to be ignored, by name. */
export function unsupportedIn(request: resourceProto.RegisterResourceRequest): string | undefined {
  const type = request.getType();
  if (request.getCustom() && type !== commandType) {
    return `the resource type ${type}`;
  }
  if (request.getCustom() && ![commandVersion, ""].includes(request.getVersion())) {
    return `version ${request.getVersion()} of @pulumi/command (it has to be ${commandVersion})`;
  }
  const options: Record<string, boolean | string | number | undefined> = {
    "remote component": request.getRemote(),
    import: request.getImportid(),
    provider: request.getProvider(),
    providers: request.getProvidersMap().getLength(),
    protect: request.getProtect(),
    aliases: request.getAliasesList().length + request.getAliasurnsList().length,
    ignoreChanges: request.getIgnorechangesList().length,
    replaceOnChanges: request.getReplaceonchangesList().some((path) => path !== replacedOn),
    deleteBeforeReplace: request.getDeletebeforereplace(),
    retainOnDelete: request.getRetainondelete(),
    replaceWith: request.getReplaceWithList().length,
    replacementTrigger: request.hasReplacementTrigger(),
    additionalSecretOutputs: request.getAdditionalsecretoutputsList().length,
    customTimeouts: Object.values(request.getCustomtimeouts()?.toObject() ?? {}).join(""),
    hideDiffs: request.getHidediffsList().length,
    transforms: request.getTransformsList().length,
    hooks: Object.values(request.getHooks()?.toObject() ?? {}).flat().length,
    pluginDownloadURL: request.getPlugindownloadurl(),
    envVarMappings: request.getEnvvarmappingsMap().getLength(),
    package: request.getPackageref(),
  };
  const found = Object.keys(options).find((name) => options[name]);
  return found && `the resource option ${found}`;
}

function goalOf(request: resourceProto.RegisterResourceRequest): Goal {
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
    dependencies: [...new Set(request.getDependenciesList())],
    propertyDependencies,
    replaceOnChanges: request.getReplaceonchangesList(),
    deletedWith: request.getDeletedwith(),
  };
}
