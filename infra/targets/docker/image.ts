import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as fs from "node:fs";
import * as path from "node:path";
import { checkout, stackFolder } from "../../host/folders";
import type { Settings } from "../../settings/schema";
import type { Ground } from "./ground";
import { names, stackLabel } from "./names";
import { contextFiles, contextHash } from "./imageContext";

export interface ImageArgs {
  readonly ground: Ground;
  readonly settings: Settings;
  /** Build arguments; they show in the image's history. */
  readonly buildArgs: Readonly<Record<string, string>>;
}

/**
 * An image, built on the daemon from `images/<name>/Dockerfile`.
 *
 * Its tag is a hash of all that the build is given: an unchanged tree changes nothing, and a changed
 * one makes another image beside the old one, which goes when its containers are gone. (With a tag
 * that stays, the provider would remove the new image in place of the old one.)
 */
export class Image extends pulumi.ComponentResource {
  /** What containers are started from, with its tag. */
  readonly imageName: string;
  readonly image: docker.RemoteImage;

  constructor(name: string, args: ImageArgs, opts?: pulumi.ComponentResourceOptions) {
    super("engine-comparison:docker:Image", name, {}, opts);
    const { ground, settings } = args;
    const dockerfile = `images/${name}/Dockerfile`;
    const log = path.join(stackFolder(ground.stack), "logs", `image-${name}.log`);
    const build = {
      context: ".",
      dockerfile,
      builder: "default",
      buildArgs: args.buildArgs,
      secrets: settings.extraCaCertificates
        ? [{ id: "extra-certificates", src: settings.extraCaCertificates }]
        : [],
      label: { [stackLabel]: ground.stack },
      buildLogFile: log,
    };
    const ignore = fs.readFileSync(path.join(checkout, `${dockerfile}.dockerignore`), "utf8");
    this.imageName = names(ground.stack).image(name, contextHash(contextFiles(ignore), build));
    this.image = new docker.RemoteImage(
      `image-${name}`,
      { name: this.imageName, build },
      {
        parent: this,
        provider: ground.provider,
        dependsOn: ground.sweeper,
        deletedWith: ground.sweeper,
        // The provider's own limit of 20 minutes is too little for MinIO's source on two slow cores.
        customTimeouts: { create: "2h" },
        hooks: { beforeCreate: [makeWay(name, log)], onError: [tellLog(name, log)] },
      },
    );
    this.registerOutputs({ imageName: this.imageName });
  }
}

/**
 * The provider opens the log, but makes no folder, and appends to what an earlier build left. As a
 * hook, because an up that builds nothing keeps the last build's log.
 */
function makeWay(name: string, log: string): pulumi.ResourceHook {
  return new pulumi.ResourceHook(`image-${name}-new-log`, () => {
    fs.mkdirSync(path.dirname(log), { recursive: true, mode: 0o700 });
    fs.rmSync(log, { force: true });
  });
}

/** The provider's error has the last command; what that command said is in the log. */
function tellLog(name: string, log: string): pulumi.ErrorHook {
  return new pulumi.ErrorHook(`image-${name}-log`, () => {
    void pulumi.log.error(`image ${name} was not built; all that the build said is in ${log}`);
    return false;
  });
}
