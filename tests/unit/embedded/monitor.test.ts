import { Alias } from "@pulumi/pulumi/proto/alias_pb";
import { Callback } from "@pulumi/pulumi/proto/callback_pb";
import * as proto from "@pulumi/pulumi/proto/resource_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { describe, expect, it } from "vitest";
import { unsupportedIn } from "../../../embedded/monitor";

function registration(change: (request: proto.RegisterResourceRequest) => unknown) {
  const request = new proto.RegisterResourceRequest();
  request.setType("command:local:Command");
  request.setName("c");
  request.setCustom(true);
  request.setVersion("1.2.1");
  change(request);
  return request;
}

const timeouts = (change: (t: proto.RegisterResourceRequest.CustomTimeouts) => unknown) => {
  const made = new proto.RegisterResourceRequest.CustomTimeouts();
  change(made);
  return made;
};

describe("a registration", () => {
  it.each([
    ["nothing special", () => undefined],
    ["protect: false", (r) => r.setProtect(false)],
    ["dependsOn", (r) => r.setDependenciesList(["urn"])],
    ["deletedWith", (r) => r.setDeletedwith("urn")],
    ["retainOnDelete: false", (r) => r.setRetainondelete(false)],
    ["the SDK's replaceOnChanges", (r) => r.setReplaceonchangesList(["triggers[*]"])],
    ["no hooks", (r) => r.setHooks(new proto.RegisterResourceRequest.ResourceHooksBinding())],
    ["a component", (r) => r.setCustom(false).setType("x:y:Z").setVersion("")],
  ] as [string, (r: proto.RegisterResourceRequest) => unknown][])(
    "with %s is taken",
    (_, change) => {
      expect(unsupportedIn(registration(change))).toBeUndefined();
    },
  );

  it.each([
    ["the resource type aws:s3/bucket:Bucket", (r) => r.setType("aws:s3/bucket:Bucket")],
    ["the resource type command:remote:Command", (r) => r.setType("command:remote:Command")],
    ["version 1.3.0 of @pulumi/command (it has to be 1.2.1)", (r) => r.setVersion("1.3.0")],
    ["the resource option remote component", (r) => r.setRemote(true)],
    ["the resource option import", (r) => r.setImportid("id")],
    ["the resource option provider", (r) => r.setProvider("urn::id")],
    ["the resource option providers", (r) => r.getProvidersMap().set("aws", "urn::id")],
    ["the resource option ignoreChanges", (r) => r.setIgnorechangesList(["stdin"])],
    ["the resource option retainOnDelete", (r) => r.setRetainondelete(true)],
    ["the resource option replaceWith", (r) => r.setReplaceWithList(["urn"])],
    [
      "the resource option replacementTrigger",
      (r) => r.setReplacementTrigger(Struct.fromJavaScript({}) as never),
    ],
    ["the resource option hideDiffs", (r) => r.setHidediffsList(["stdin"])],
    ["the resource option transforms", (r) => r.addTransforms(new Callback())],
    [
      "the resource option hooks",
      (r) => {
        const hooks = new proto.RegisterResourceRequest.ResourceHooksBinding();
        hooks.addBeforeDelete("hook");
        r.setHooks(hooks);
      },
    ],
    ["the resource option pluginDownloadURL", (r) => r.setPlugindownloadurl("https://x")],
    ["the resource option envVarMappings", (r) => r.getEnvvarmappingsMap().set("A", "B")],
    ["the resource option package", (r) => r.setPackageref("ref")],
    [
      "the resource option customTimeouts",
      (r) => r.setCustomtimeouts(timeouts((t) => t.setCreate("5m"))),
    ],
    ["the resource option protect", (r) => r.setProtect(true)],
    ["the resource option aliases", (r) => r.addAliases(new Alias())],
    ["the resource option aliases", (r) => r.setAliasurnsList(["urn"])],
    ["the resource option replaceOnChanges", (r) => r.setReplaceonchangesList(["stdin"])],
    ["the resource option deleteBeforeReplace", (r) => r.setDeletebeforereplace(true)],
    [
      "the resource option additionalSecretOutputs",
      (r) => r.setAdditionalsecretoutputsList(["stdout"]),
    ],
  ] as [string, (r: proto.RegisterResourceRequest) => unknown][])(
    "is refused for %s",
    (what, change) => {
      expect(unsupportedIn(registration(change))).toBe(what);
    },
  );
});
