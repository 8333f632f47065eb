import { hash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { UserError } from "../contracts/errors";
import { downloadVariables, makeOwnFolders, proxies, trusted } from "../host/environment";
import { cacheFolder, readOr } from "../host/folders";
import { probe } from "../host/probe";
import { findJava } from "../host/runtimes";
import { buildFolders, runBuild, type Build } from "./caches";
import type { Jar } from "./locks";

const advice =
  "see that this machine reaches a Maven repository (ENGINE_COMPARISON_IVY_SETTINGS names an ivysettings.xml " +
  "with another, https_proxy a proxy, SSL_CERT_FILE its certificates), then run the same command again";

/**
 * Fetches jars into a build's folder with the Apache Ivy that pyspark carries.
 *
 * @throws UserError for what cannot be fetched, or is not what the lock has
 */
export async function fetchJars(build: Build, venv: string, jars: readonly Jar[]): Promise<void> {
  const { folder } = build;
  const work = makeOwnFolders(buildFolders(folder)).temporary;
  const module = path.join(work, "ivy.xml");
  fs.writeFileSync(module, ivyXml(jars));
  // Not as arguments, which all users see: the address of a proxy may have a password in it.
  const options = path.join(work, "java-options");
  const given = [...proxyOptions(process.env), ...(await trustOptions(build, work))];
  const escaped = given.map((each) => each.replaceAll("\\", "\\\\").replaceAll('"', '\\"'));
  fs.writeFileSync(options, escaped.map((each) => `"${each}"\n`).join(""), { mode: 0o600 });
  const ivyHome = path.join(cacheFolder(), "ivy");
  const settings = process.env.ENGINE_COMPARISON_IVY_SETTINGS;
  await runBuild(build, {
    argv: [
      path.join(findJava().home, "bin", "java"),
      `@${options}`,
      ...[`-Divy.default.ivy.user.dir=${ivyHome}`, "-jar", ivyJar(venv)],
      ...(settings ? ["-settings", path.resolve(settings)] : []),
      ...["-ivy", module, "-cache", path.join(ivyHome, "cache"), "-types", "jar", "bundle"],
      ...["-retrieve", path.join(folder, "[artifact]-[revision].[ext]")],
    ],
    env: downloadVariables(),
    advice,
  });
  jars.forEach((jar) => verify(folder, jar));
}

/**
 * What has Java trust what all other downloads do. It reads a store of the JDK's alone: here with the
 * certificates that this one lacks.
 */
async function trustOptions(build: Build, work: string): Promise<string[]> {
  const bundle = trusted(process.env);
  if (bundle === undefined) return [];
  const { home } = findJava();
  const keytool = path.join(home, "bin", "keytool");
  const stores = ["jssecacerts", "cacerts"].map((name) => path.join(home, "lib/security", name));
  const own = stores.find((file) => fs.existsSync(file));
  const password = ["-storepass", "changeit"]; // every JDK's
  const known = own && probe([keytool, "-list", "-rfc", "-keystore", own, ...password], 30_000);
  const lacking = certificatesIn(readOr(bundle) ?? "");
  for (const hash of certificatesIn(known ?? "").keys()) lacking.delete(hash);
  if (lacking.size === 0) return [];
  const store = path.join(work, "certificates");
  if (own !== undefined) fs.copyFileSync(own, store);
  const file = path.join(work, "certificate.pem");
  for (const [alias, certificate] of lacking) {
    fs.writeFileSync(file, certificate);
    await runBuild(build, {
      argv: [
        ...[keytool, "-importcert", "-noprompt", "-keystore", store, ...password],
        ...["-alias", alias, "-file", file],
      ],
      advice: `see that all certificates in ${bundle} are valid, then run the same command again`,
    });
  }
  return [`-Djavax.net.ssl.trustStore=${store}`, "-Djavax.net.ssl.trustStorePassword=changeit"];
}

/** The certificates of a PEM file, by their SHA-256. */
function certificatesIn(text: string): Map<string, string> {
  const blocks = text.matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g);
  return new Map(
    [...blocks].map(([block, content]) => {
      return [hash("sha256", Buffer.from(content, "base64")), `${block}\n`];
    }),
  );
}

function ivyJar(venv: string): string {
  const [python] = fs.readdirSync(path.join(venv, "lib"));
  const jars = path.join(venv, "lib", python, "site-packages", "pyspark", "jars");
  const found = fs.readdirSync(jars).find((name) => /^ivy-[\d.]+\.jar$/.test(name));
  if (!found) throw new Error(`pyspark carries no Ivy in ${jars}`);
  return path.join(jars, found);
}

/** Looks at a fetched jar, and moves it to where the lock has it. */
function verify(folder: string, { artifact, version, sha256, folder: place }: Jar): void {
  const name = `${artifact}-${version}.jar`;
  const file = path.join(folder, name);
  const found = fs.existsSync(file) ? hash("sha256", fs.readFileSync(file)) : "nothing";
  if (found !== sha256) {
    throw new UserError(
      `${name} has the SHA-256 ${found} instead of ${sha256}`,
      "it is not the file that was locked, and Spark would run it",
      "if a repository of your own serves another build, let it pass the original on",
    );
  }
  if (!place) return;
  fs.mkdirSync(path.join(folder, place), { recursive: true });
  fs.renameSync(file, path.join(folder, place, name));
}

/** An Ivy module that wants exactly these jars, without what they depend on. */
export function ivyXml(jars: readonly Jar[]): string {
  const wanted = jars.map(
    ({ group, artifact, version }) =>
      `    <dependency org="${group}" name="${artifact}" rev="${version}" conf="default->master" transitive="false" force="true"/>`,
  );
  return [
    '<ivy-module version="2.0">',
    '  <info organisation="engine-comparison" module="jars"/>',
    '  <configurations><conf name="default"/></configurations>',
    "  <dependencies>",
    ...wanted,
    "  </dependencies>",
    "</ivy-module>",
    "",
  ].join("\n");
}

/**
 * Java does not read the proxy variables that everybody else does: the same as its own options, with
 * name and password as Ivy reads them.
 */
export function proxyOptions(env: NodeJS.ProcessEnv): string[] {
  const given = proxies(env);
  const options = (["http", "https"] as const).flatMap((scheme) => {
    const value = given[`${scheme}_proxy`];
    if (!value) return [];
    const { hostname, port, username, password } = new URL(
      value.includes("://") ? value : `http://${value}`,
    );
    return [
      ...[`-D${scheme}.proxyHost=${hostname}`, `-D${scheme}.proxyPort=${port || "80"}`],
      ...(username ? [`-Dhttp.proxyUser=${decodeURIComponent(username)}`] : []),
      ...(password ? [`-Dhttp.proxyPassword=${decodeURIComponent(password)}`] : []),
    ];
  });
  if (options.length === 0) return [];
  const direct = given.no_proxy.split(",").map((host) => host.replace(/^\./, "*."));
  return [
    ...new Set(options),
    `-Dhttp.nonProxyHosts=${direct.join("|")}`,
    // By default Java gives no password to a proxy on the way to an https address.
    "-Djdk.http.auth.tunneling.disabledSchemes=",
  ];
}
