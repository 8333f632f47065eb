/**
 * `npm start` in a home where everything that the shell, dotfiles and a company can set for other
 * programs is set at once, and is wrong for ours: all runs of the default matrix are verified, and
 * nothing asks the proxy.
 */
import { execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findJava, findPython } from "../../infra/host/runtimes";
import { cacheFolder } from "../../infra/host/folders";
import { Authority } from "../certificates";
import { quickRuns } from "../defaults";
import { hasPulumi } from "../conformance/pulumiCli";
import { asFlags, checkout, freeOffset, small, type Finished } from "../e2e/stack";

const minutes = (n: number) => n * 60_000;

let root: string;
let home: string;
/** A copy of the checkout, in that home, too. */
let copy: string;
let environment: NodeJS.ProcessEnv;

/** What has connected to the proxy. */
let asked = 0;
const proxy = net.createServer((socket) => {
  asked++;
  socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
});

function write(file: string, text: string, mode = 0o600): string {
  const whole = path.resolve(home, file);
  fs.mkdirSync(path.dirname(whole), { recursive: true });
  fs.writeFileSync(whole, text, { mode });
  return whole;
}

/** Files of other programs, each of which ends or misleads what reads it. */
function writeDotfiles(): void {
  const { certificate, key } = new Authority().server("192.0.2.1");
  write(".minio/certs/public.crt", certificate);
  write(".minio/certs/private.key", key);
  const aws = [
    ...["[default]", "region = us-gov-west-1", "use_fips_endpoint = true"],
    ...["use_dualstack_endpoint = true", "endpoint_url = http://192.0.2.1", ""],
  ].join("\n");
  write(".aws/config", aws);
  write(".aws/credentials", "[default]\naws_access_key_id = x\naws_secret_access_key = y\n");
  write(".config/pip/pip.conf", "[global]\nuser = true\ntarget = /nonexistent\n");
  write(".config/uv/uv.toml", "offline = true\n");
  write(".config/go/env", "GOFLAGS=-mod=vendor\nGOPROXY=off\n");
  write(".npmrc", "global=true\nprefix=/nonexistent\nomit=optional\n");
  write(".netrc", "machine 127.0.0.1 login x password y\n");
  write(".duckdbrc", "this is no SQL;\n");
  write(".hadooprc", "exit 1\n");
  write(".ivy2/ivysettings.xml", "<broken");
  write(".java/.userPrefs/prefs.xml", "<broken");
  write(".mc/config.json", "{");
  write(".ray/auth_token", "not-the-token");
  write(".docker/config.json", "{");
  write(".pydistutils.cfg", "[install]\nprefix=/nonexistent\n");
  write(".condarc", "channels: {");
  write(".mavenrc", "exit 1\n");
  write(".gitconfig", '[url "http://192.0.2.1/"]\n\tinsteadOf = https://\n');
  for (const file of [".curlrc", ".wgetrc"]) write(file, "proxy = http://192.0.2.1\n");
  // Above the checkout, as in a repository of many projects.
  write("my code/package.json", '{ "type": "module", "workspaces": ["*"] }');
  write("my code/tsconfig.json", "{ broken");
  write("my code/pyproject.toml", "[tool.uv]\noffline = true\n[tool.ruff\n");
  write("my code/Pulumi.yaml", "name: another\nruntime: python\n");
  write("my code/.env", "AWS_ENDPOINT_URL=http://192.0.2.1\n");
  for (const file of [".bashrc", ".bash_profile", ".profile", ".zshenv"]) write(file, "exit 1\n");
  const version = findPython().version.split(".").slice(0, 2).join(".");
  const site = `.local/lib/python${version}/site-packages`;
  write(`${site}/usercustomize.py`, "raise SystemExit('usercustomize was loaded')\n");
  write(`${site}/hostile.pth`, "import sys; sys.exit('a .pth file was loaded')\n");
  for (const name of ["pyarrow", "numpy", "ray", "json"])
    write(`modules/${name}.py`, `raise SystemExit("${name} of PYTHONPATH was loaded")\n`);
  for (const name of ["libz.so.1", "libssl.so.3", "libffi.so.8"])
    write(`conda/lib/${name}`, "no library\n");
  write("spark/conf/spark-defaults.conf", "spark.master yarn\nspark.executor.memory 900g\n");
  write("spark/conf/spark-env.sh", "exit 1\n");
  write("bash-env", "exit 1\n");
  const onlyMain = [
    'const { isMainThread } = require("node:worker_threads");',
    'const isEntry = !isMainThread || /main\\.mjs$/.test(process.argv[1] ?? "");',
    'if (!isEntry) throw new Error("NODE_OPTIONS reached a child");',
  ].join("\n");
  write("node-options.cjs", onlyMain);
}

function variables(port: number): NodeJS.ProcessEnv {
  const at = (name: string) => path.join(home, name);
  const address = `http://user:p%40ss@127.0.0.1:${port}`;
  const proxies = ["http_proxy", "https_proxy", "all_proxy", "grpc_proxy"].flatMap((name) => [
    [name, address] as const,
    [name.toUpperCase(), address] as const,
  ]);
  const nowhere = "/nonexistent";
  const temporary = at("a long path for temporary files".repeat(4));
  fs.mkdirSync(temporary, { mode: 0o700 });
  return {
    PATH: process.env.PATH,
    JAVA_HOME: findJava().home,
    HOME: home,
    USER: "nobody",
    SHELL: "/bin/bash",
    TERM: "dumb",
    TMPDIR: temporary,
    XDG_RUNTIME_DIR: nowhere,
    CI: "true",
    FORCE_COLOR: "3",
    NO_COLOR: "1",
    LANG: "tr_TR.UTF-8",
    LC_ALL: "POSIX",
    TZ: "Pacific/Kiritimati",
    ...Object.fromEntries(proxies),
    no_proxy: "example.com, localhost ,10.0.0.0/8",
    SSL_CERT_FILE: nowhere,
    SSL_CERT_DIR: nowhere,
    REQUESTS_CA_BUNDLE: nowhere,
    CURL_CA_BUNDLE: nowhere,
    NODE_OPTIONS: `--require "${at("node-options.cjs")}"`,
    NODE_ENV: "production",
    NODE_PATH: nowhere,
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
    TSX_TSCONFIG_PATH: nowhere,
    ESBUILD_BINARY_PATH: nowhere,
    NODE_EXTRA_CA_CERTS: nowhere,
    NODE_PENDING_DEPRECATION: "1",
    npm_config_global: "true",
    npm_config_os: "darwin",
    npm_config_workspace: "another",
    LD_PRELOAD: nowhere,
    OPENSSL_CONF: nowhere,
    GODEBUG: "netdns=go+2",
    PYTHONHOME: nowhere,
    PYTHONPATH: at("modules"),
    PYTHONUSERBASE: at(".local"),
    PYTHONSTARTUP: nowhere,
    PYTHONWARNINGS: "error",
    PYTHONOPTIMIZE: "2",
    PYTHONIOENCODING: "utf-16",
    VIRTUAL_ENV: nowhere,
    CONDA_PREFIX: at("conda"),
    CONDA_DEFAULT_ENV: "base",
    LD_LIBRARY_PATH: at("conda/lib"),
    JAVA_TOOL_OPTIONS: "-XX:+NoSuchOption",
    _JAVA_OPTIONS: "-XX:+NoSuchOption",
    JDK_JAVA_OPTIONS: "-XX:+NoSuchOption",
    CLASSPATH: nowhere,
    SPARK_HOME: nowhere,
    SPARK_CONF_DIR: at("spark/conf"),
    SPARK_LOCAL_IP: "192.0.2.1",
    SPARK_LOCAL_DIRS: nowhere,
    SPARK_MASTER_HOST: "192.0.2.1",
    SPARK_DAEMON_MEMORY: "1m",
    SPARK_WORKER_MEMORY: "900g",
    SPARK_REMOTE: "sc://192.0.2.1",
    SPARK_DIST_CLASSPATH: nowhere,
    HADOOP_CONF_DIR: nowhere,
    HADOOP_HOME: nowhere,
    HADOOP_USER_NAME: "hdfs",
    PYSPARK_PYTHON: nowhere,
    PYSPARK_DRIVER_PYTHON: nowhere,
    PYSPARK_SUBMIT_ARGS: "--master yarn pyspark-shell",
    RAY_ADDRESS: "192.0.2.1:6379",
    RAY_TMPDIR: nowhere,
    RAY_memory_usage_threshold: "0.01",
    RAY_AUTH_MODE: "disabled",
    DAFT_RUNNER: "ray",
    POLARS_MAX_THREADS: "0",
    OMP_NUM_THREADS: "99",
    AWS_PROFILE: "nobody",
    AWS_ENDPOINT_URL: "http://192.0.2.1",
    AWS_ACCESS_KEY_ID: "x",
    AWS_SECRET_ACCESS_KEY: "y",
    AWS_SESSION_TOKEN: "z",
    AWS_REGION: "us-gov-west-1",
    AWS_USE_FIPS_ENDPOINT: "true",
    AWS_USE_DUALSTACK_ENDPOINT: "true",
    AWS_CA_BUNDLE: nowhere,
    MINIO_ROOT_USER: "somebody",
    MINIO_ROOT_PASSWORD: "something",
    MINIO_CONFIG_ENV_FILE: nowhere,
    MINIO_DOMAIN: "example.com",
    MINIO_SERVER_URL: "https://example.com",
    MINIO_VOLUMES: nowhere,
    MC_HOST_local: "http://192.0.2.1",
    PIP_USER: "1",
    PIP_TARGET: nowhere,
    UV_OFFLINE: "1",
    UV_PYTHON: nowhere,
    GOFLAGS: "-mod=vendor",
    BASH_ENV: at("bash-env"),
    ENV: at("bash-env"),
    CDPATH: "/",
    // Plugins are installed there already.
    PULUMI_HOME: process.env.PULUMI_HOME ?? path.join(os.homedir(), ".pulumi"),
    PULUMI_BACKEND_URL: "https://192.0.2.1",
    PULUMI_ACCESS_TOKEN: "x",
    PULUMI_STACK: "another",
    PULUMI_NODEJS_TSCONFIG_PATH: nowhere,
    PULUMI_OPTION_PARALLEL: "1",
    PULUMI_OPTION_TARGET: "urn:another",
    PULUMI_DIY_BACKEND_GZIP: "true",
    GREP_OPTIONS: "--no-such-option",
    POSIXLY_CORRECT: "1",
  };
}

/** A verb of the copy's, as a user in that home types it; soft limits are low and the umask is strict. */
function run(verb: string, ...args: string[]): Promise<Finished> {
  const command = [process.execPath, "cli/main.mjs", verb, "--stack", "hostile", ...args];
  const child = spawn("/bin/sh", ["-c", 'ulimit -Sn 256; umask 077; exec "$@"', "sh", ...command], {
    cwd: copy,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("error", reject).on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

beforeAll(async () => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), "ec-hostile-"));
  home = path.join(root, "Jörg's#1, (Müller & Söhne)");
  copy = path.join(home, "my code", "engine comparison");
  writeDotfiles();
  // Whatever is installed already is there under the default name of the caches.
  fs.mkdirSync(path.join(home, ".cache"), { recursive: true });
  fs.symlinkSync(cacheFolder(), path.join(home, ".cache", "engine-comparison"));
  const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const files = execFileSync("git", list, { cwd: checkout, encoding: "utf8", maxBuffer: 2 ** 26 });
  for (const file of files.split("\0").filter(Boolean)) {
    if (!fs.existsSync(path.join(checkout, file))) continue;
    fs.cpSync(path.join(checkout, file), path.join(copy, file));
  }
  fs.symlinkSync(path.join(checkout, "node_modules"), path.join(copy, "node_modules"));
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  environment = variables((proxy.address() as net.AddressInfo).port);
}, minutes(2));

afterAll(() => {
  proxy.close();
  fs.rmSync(root, { recursive: true, force: true });
});

describe.each([
  ["embedded", true],
  ["pulumi", hasPulumi],
] as const)("by the runner %s", (runner, available) => {
  afterEach(async () => {
    if (!available) return;
    const destroy = await run("destroy");
    expect(destroy.code, destroy.stdout + destroy.stderr).toBe(0);
  }, minutes(5));

  it.runIf(available)(
    "all runs of the default matrix are verified, and nothing asks the proxy",
    async () => {
      const { matrix: _, ...sizes } = small;
      const settings = { ...sizes, portOffset: freeOffset(16_500), gpu: "off" };
      const up = await run("start", "--runner", runner, ...asFlags(settings));
      expect(up.code, up.stdout + up.stderr).toBe(0);
      const { stdout } = await run("outputs", "--json");
      const { runs } = JSON.parse(stdout) as { runs: Record<string, { status: string }> };
      const workloads = ["taxi-report", "image-predictions", "image-embeddings"];
      expect(Object.keys(runs).sort()).toEqual(workloads.flatMap(quickRuns).sort());
      expect(Object.values(runs).map(({ status }) => status)).toEqual(
        Object.keys(runs).map(() => "verified"),
      );
      const preview = await run("preview", "--expect-no-changes");
      expect(preview.code, preview.stdout + preview.stderr).toBe(0);
      expect(asked).toBe(0);
    },
    minutes(40), // runs take their turns with those of other stacks of the machine
  );
});
