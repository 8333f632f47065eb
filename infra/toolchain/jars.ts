import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { shortHash } from "../contracts/canonical";
import { cacheFolder } from "../host/folders";
import { UserError } from "../contracts/errors";
import { ensureEntry, type Build } from "./caches";
import { ivyXml, proxyOptions } from "./ivy";
import { findJava } from "../host/java";
import { runBuild } from "./builds";
import { downloadEnvironment } from "../host/environment";
import { lockedJars, lockHash, type Jar } from "./locks";
import { toolFolder } from "./tools";
import { toolStep } from "./toolStep";

/** Fetches the jars that let Spark speak S3, with the Apache Ivy that pyspark carries. */
export default toolStep("jars", async (log, { stack }) => {
  const entry = `jars/${shortHash(lockHash("jars"))}` as const;
  await ensureEntry(entry, log, (build) => fetch(build, toolFolder(stack, "python")));
  return { entry, jars: lockedJars().length };
});

async function fetch({ folder, log, pidFile }: Build, venv: string): Promise<void> {
  const jars = lockedJars();
  const module = path.join(folder, "ivy.xml");
  fs.writeFileSync(module, ivyXml(jars));
  const ivyHome = path.join(cacheFolder(), "ivy");
  const settings = process.env.ENGINE_COMPARISON_IVY_SETTINGS;
  await runBuild(log, {
    argv: [
      path.join(findJava().home, "bin", "java"),
      ...proxyOptions(process.env),
      ...[`-Divy.default.ivy.user.dir=${ivyHome}`, "-jar", ivyJar(venv)],
      ...(settings ? ["-settings", path.resolve(settings)] : []),
      ...["-ivy", module, "-cache", path.join(ivyHome, "cache"), "-types", "jar", "bundle"],
      ...["-retrieve", path.join(folder, "[artifact]-[revision].[ext]")],
    ],
    env: downloadEnvironment(),
    pidFile,
    advice:
      "see that this machine reaches a Maven repository (ENGINE_COMPARISON_IVY_SETTINGS names an ivysettings.xml " +
      "with another, https_proxy a proxy), then run the same command again",
  });
  fs.rmSync(module);
  jars.forEach((jar) => verify(folder, jar));
}

function ivyJar(venv: string): string {
  const [python] = fs.readdirSync(path.join(venv, "lib"));
  const jars = path.join(venv, "lib", python, "site-packages", "pyspark", "jars");
  const found = fs.readdirSync(jars).find((name) => /^ivy-[\d.]+\.jar$/.test(name));
  if (!found) throw new Error(`pyspark carries no Ivy in ${jars}`);
  return path.join(jars, found);
}

function verify(folder: string, { artifact, version, sha256 }: Jar): void {
  const name = `${artifact}-${version}.jar`;
  const file = path.join(folder, name);
  const found = fs.existsSync(file)
    ? createHash("sha256").update(fs.readFileSync(file)).digest("hex")
    : "nothing";
  if (found !== sha256) {
    throw new UserError(
      `${name} has the SHA-256 ${found} instead of ${sha256}`,
      "it is not the file that was locked, and Spark would run it",
      "if a repository of your own serves another build, let it pass the original on",
    );
  }
}
