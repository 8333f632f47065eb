import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { attempt } from "./folders";

// Every child gets an environment from here, made from nothing. The environments of the program and of
// its Commands hold secrets (all of PULUMI_CONFIG, the passphrase) and what the user's shell, dotfiles
// or company set for other programs.

type Environment = Record<string, string>;

/** The folders that services, jobs and builds have instead of the user's. */
export interface OwnFolders {
  /** Their home, in which no program finds a dotfile of the user's. */
  readonly home: string;
  /** Their temporary files. A short path: Unix sockets have 107 bytes for theirs. */
  readonly temporary: string;
}

/** Where JVMs unpack libraries: a folder that need not be in /tmp, which may be mounted noexec. */
export const javaTemporary = ({ home }: OwnFolders) => path.join(home, "java");

export function makeOwnFolders(folders: OwnFolders): OwnFolders {
  for (const folder of [folders.home, folders.temporary, javaTemporary(folders)]) {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  return folders;
}

/** All that services, jobs and builds may see of the caller's environment. */
const passed = [/^(PATH|CUDA_VISIBLE_DEVICES|CUDA_DEVICE_ORDER)$/];

/** Environment of services, jobs and builds: the same on every machine, but for where things are. */
export function ownEnvironment(
  folders: OwnFolders,
  from: NodeJS.ProcessEnv = process.env,
): Environment {
  const user = attempt(() => os.userInfo().username) ?? `uid-${process.getuid?.()}`;
  // Java asks passwd for the home, and takes /tmp whatever TMPDIR says.
  const java = { "user.home": folders.home, "java.io.tmpdir": javaTemporary(folders) };
  return {
    ...allowed(passed, from),
    HOME: folders.home,
    TMPDIR: folders.temporary,
    USER: user,
    LOGNAME: user,
    // Names of files may have any letter, and Java writes them in the locale's encoding.
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    PYTHONNOUSERSITE: "1",
    JDK_JAVA_OPTIONS: Object.entries(java)
      .map(([name, value]) => `"-D${name}=${value}"`)
      .join(" "),
  };
}

/** What the user's own programs may see. Nothing secret has one of these names. */
const plain = [
  /^(PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|TMPDIR|LANG|LC_[A-Z]+|JAVA_HOME)$/,
  /^(SSL_CERT_FILE|SSL_CERT_DIR)$/,
];

const bundles = /^(REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE)$/;

const loopback = ["127.0.0.1", "localhost", "::1"];

/** The first that has a value, in lower case or in upper. */
const valueOf = (from: NodeJS.ProcessEnv, ...names: readonly string[]) =>
  names.map((name) => from[name] || from[name.toUpperCase()]).find(Boolean);

/**
 * The proxies that the caller's environment names, in the variables that every program reads: not all
 * read all_proxy. Loopback is never behind one, whatever the list of exceptions says and however it is
 * written: some programs take a blank in it for a part of a name.
 */
export function proxies(from: NodeJS.ProcessEnv = process.env): Environment {
  const http = valueOf(from, "http_proxy", "all_proxy");
  const https = valueOf(from, "https_proxy", "all_proxy");
  if (!http && !https) return {};
  const given = (valueOf(from, "no_proxy") ?? "").split(/[\s,]+/).filter(Boolean);
  const direct = given.includes("*") ? "*" : [...new Set([...given, ...loopback])].join(",");
  return {
    ...(http ? { http_proxy: http, HTTP_PROXY: http } : {}),
    ...(https ? { https_proxy: https, HTTPS_PROXY: https } : {}),
    ...{ no_proxy: direct, NO_PROXY: direct },
  };
}

/**
 * By what programs that download find packages: addresses, keys and patience, by name. What else pip,
 * uv and Go can be told would change what is installed, or where.
 */
const packageSources = [
  /^PIP_((EXTRA_)?INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY)$/,
  /^PIP_((DEFAULT_)?TIMEOUT|RETRIES|KEYRING_PROVIDER)$/,
  /^UV_(DEFAULT_INDEX|INDEX|(EXTRA_)?INDEX_URL|FIND_LINKS|NO_INDEX|INDEX_STRATEGY|INSECURE_HOST)$/,
  /^UV_(KEYRING_PROVIDER|HTTP_[A-Z]+|NATIVE_TLS|SYSTEM_CERTS|INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD))$/,
  /^GO(PROXY|SUMDB|NOSUMDB|NOPROXY|PRIVATE|INSECURE|AUTH|TELEMETRY)$/,
];

/** Where programs find what belongs to the user's session, such as a store of credentials. */
const session = /^(XDG_[A-Z_]+|DBUS_SESSION_BUS_ADDRESS|SSH_AUTH_SOCK|GNUPGHOME)$/;

const libraries = /^LD_LIBRARY_PATH$/;

/** What each program of the user's may see besides. */
const forTools = {
  /** Those that every system has, and the driver's. */
  system: [libraries],
  docker: [/^DOCKER_[A-Z_]+$/, session, libraries],
  aws: [/^AWS_[A-Z0-9_]+$/, bundles, session, libraries],
  // Not GIT_DIR and the like: they would lead from this checkout to another.
  git: [/^GIT_CONFIG_[A-Z0-9_]+$/, session, libraries],
  // With what opens its state, also in a cloud's store; never PULUMI_CONFIG.
  pulumi: [
    /^PULUMI_(?!CONFIG$|CONFIG_SECRET)[A-Z_]+$/,
    /^(AWS|AZURE|ARM|GOOGLE|CLOUDSDK)_[A-Z0-9_]+$/,
    ...[bundles, session, libraries],
  ],
  browser: [
    session,
    /^(DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|BROWSER|DESKTOP_SESSION)$/,
    /^(KDE|WSL)/,
  ],
  // Managers of versions put a script in the place of an interpreter. No path of libraries: where an
  // interpreter works with one only, it would not work in a job.
  pip: [/^(PIP_CONFIG_FILE|XDG_CONFIG_(HOME|DIRS))$/],
  language: [/^(ASDF|GOENV|JENV|MISE|PYENV)_([A-Z]+_)*(ROOT|DIR|FILE|VERSION)$/],
} as const;

type Tool = keyof typeof forTools;

/** Those of the user's programs that reach other machines. */
const networked: readonly Tool[] = ["docker", "aws", "pulumi"];

function allowed(patterns: readonly RegExp[], from: NodeJS.ProcessEnv): Environment {
  const found = Object.entries(from).filter(
    ([name, value]) => value !== undefined && patterns.some((pattern) => pattern.test(name)),
  );
  return Object.fromEntries(found) as Environment;
}

/** Environment of a program that the user has installed. */
export function toolEnvironment(tool: Tool, from: NodeJS.ProcessEnv = process.env): Environment {
  return {
    ...allowed([...plain, ...forTools[tool]], from),
    ...(networked.includes(tool) ? proxies(from) : {}),
    ...(tool === "language" || tool === "pip" ? { PYTHONNOUSERSITE: "1" } : {}),
  };
}

const systemCertificates = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** What is trusted for downloads: the file that the user names, else the system's. */
export function trusted(from: NodeJS.ProcessEnv): string | undefined {
  return from.SSL_CERT_FILE || systemCertificates.find((file) => fs.existsSync(file));
}

const certificates = [/^(SSL_CERT_FILE|SSL_CERT_DIR)$/, bundles];

/** What jobs that download datasets get besides: proxies and certificates. */
export function datasetVariables(from: NodeJS.ProcessEnv = process.env): Environment {
  const file = trusted(from);
  return {
    ...(file ? { REQUESTS_CA_BUNDLE: file } : {}),
    ...allowed(certificates, from),
    ...proxies(from),
  };
}

/**
 * What builds that download get besides. pip and uv trust what the system trusts, which behind a
 * company's proxy is more than they carry. Their files of settings, and Go's, are not read.
 *
 * @param settings what such files say of where packages are: variables of the user's come first
 */
export function downloadVariables(
  settings: Environment = {},
  from: NodeJS.ProcessEnv = process.env,
): Environment {
  const file = trusted(from);
  const netrc = from.NETRC || path.join(from.HOME ?? "/", ".netrc");
  return {
    ...(file ? { PIP_CERT: file, UV_SYSTEM_CERTS: "1" } : {}),
    ...(fs.existsSync(netrc) ? { NETRC: netrc } : {}),
    PIP_CONFIG_FILE: os.devNull,
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
    UV_NO_CONFIG: "1",
    GOENV: "off",
    ...settings,
    ...allowed([...certificates, ...packageSources], from),
    ...proxies(from),
  };
}
