/** Jars from a Maven repository that only a company's proxy reaches, which opens TLS. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { findPython } from "../../infra/host/runtimes";
import { BuildLog, ensureEntry, entryFolder, isComplete } from "../../infra/toolchain/caches";
import { fetchJars } from "../../infra/toolchain/jars";
import { pythonEntry } from "../../infra/toolchain/locks";
import { Authority } from "../certificates";

/** Nobody has this address: it is reached by the proxy, or not at all. */
const repository = "192.0.2.1";
const content = Buffer.from("a jar");
const jar = {
  group: "org.example",
  artifact: "a",
  version: "1",
  sha256: createHash("sha256").update(content).digest("hex"),
};
const files: Readonly<Record<string, Buffer>> = {
  "/maven/org/example/a/1/a-1.pom": Buffer.from(
    "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId>" +
      "<artifactId>a</artifactId><version>1</version></project>",
  ),
  "/maven/org/example/a/1/a-1.jar": content,
};

const authority = new Authority();
const { certificate: cert, key } = authority.server(repository);
const maven = https.createServer({ cert, key }, (request, response) => {
  const file = files[request.url ?? ""];
  response.writeHead(file ? 200 : 404, { "content-length": file?.length ?? 0 });
  response.end(request.method === "HEAD" ? undefined : file);
});

const wanted = `Basic ${Buffer.from("me:p@ss word").toString("base64")}`;
let admitted = 0;
const proxy = http.createServer().on("connect", (request, socket: net.Socket) => {
  if (request.headers["proxy-authorization"] !== wanted) {
    const challenge = 'Proxy-Authenticate: Basic realm="company"';
    socket.end(`HTTP/1.1 407 Who are you\r\n${challenge}\r\nContent-Length: 0\r\n\r\n`);
    return;
  }
  admitted++;
  const { port } = maven.address() as net.AddressInfo;
  const onward = net.connect(port, "127.0.0.1", () => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    socket.pipe(onward).pipe(socket);
  });
  for (const one of [onward, socket]) one.on("error", () => (onward.destroy(), socket.destroy()));
});

const venv = entryFolder(pythonEntry("cpu", findPython().version));
const isInstalled = isComplete(pythonEntry("cpu", findPython().version));

let folder: string;
const before = { ...process.env };

beforeAll(async () => {
  for (const server of [maven, proxy]) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  }
});
afterAll(() => {
  for (const server of [maven, proxy]) server.close();
});

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "ec-jars-"));
  const at = (name: string, text: string) => {
    fs.writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  const root = `https://${repository}/maven/`;
  process.env = {
    PATH: before.PATH,
    HOME: folder,
    JAVA_HOME: before.JAVA_HOME,
    ENGINE_COMPARISON_CACHE: path.join(folder, "cache"),
    ENGINE_COMPARISON_IVY_SETTINGS: at(
      "ivysettings.xml",
      '<ivysettings><settings defaultResolver="company"/><resolvers>' +
        `<ibiblio name="company" m2compatible="true" root="${root}"/>` +
        "</resolvers></ivysettings>",
    ),
    https_proxy: `http://me:p%40ss%20word@127.0.0.1:${(proxy.address() as net.AddressInfo).port}`,
    SSL_CERT_FILE: at("company.pem", `the company's\n${authority.certificate}`),
  };
});
afterEach(() => {
  process.env = { ...before };
  fs.rmSync(folder, { recursive: true, force: true });
});

/** Fetches the jar as a stack does. @returns where it is, and all that was logged meanwhile */
async function fetchJar(): Promise<{ file: string; log: string }> {
  const log = new BuildLog(path.join(folder, "log"));
  const made = await ensureEntry("jars/test", log, (build) => fetchJars(build, venv, [jar]));
  return { file: path.join(made, "a-1.jar"), log: fs.readFileSync(log.file, "utf8") };
}

describe("jars behind a company's proxy", { timeout: 60_000 }, () => {
  it("come with its password, by its authority in SSL_CERT_FILE", async ({ skip }) => {
    if (!isInstalled) skip("a stack has to have left pyspark in the cache: npm start");
    const { file, log } = await fetchJar();
    expect(fs.readFileSync(file)).toEqual(content);
    expect(fs.readdirSync(path.dirname(file)).sort()).toEqual([".complete", "a-1.jar"]);
    expect(log).not.toContain("p@ss");
  });

  it.each<[string, () => void, RegExp]>([
    ["authority", () => delete process.env.SSL_CERT_FILE, /PKIX|certification path/],
    ["password", () => (process.env.https_proxy = bare()), /org\.example#a;1: not found/],
  ])("do not come without the %s", async (what, forget, why) => {
    forget();
    admitted = 0;
    await expect(fetchJar()).rejects.toThrow(why);
    expect(admitted > 0).toBe(what === "authority");
  });
});

function bare(): string {
  return process.env.https_proxy!.replace(/\/\/.*@/, "//");
}
