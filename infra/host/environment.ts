import * as fs from "node:fs";

// Every child gets an environment from here, made by an allow-list. The environments of the program
// and of its Commands hold secrets: all of PULUMI_CONFIG, the passphrase, tokens of other programs.

type Environment = Record<string, string>;

/** What any process may see of the caller's environment. Nothing secret has one of these names. */
const plain = [
  /^(PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|TMPDIR|LANG|LC_[A-Z]+|JAVA_HOME|LD_LIBRARY_PATH)$/,
  /^(SSL_CERT_FILE|SSL_CERT_DIR)$/,
  /^(CUDA_VISIBLE_DEVICES|NVIDIA_[A-Z_]+|OPENBLAS_[A-Z0-9_]+)$/,
];

const bundles = /^(REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE)$/;

/** The variables that say which proxies to use. */
const proxyVariable = /^(https?|all|no)_proxy$/i;

/** Names of those that are set. */
export function proxyVariables(from: NodeJS.ProcessEnv = process.env): string[] {
  return Object.keys(from).filter((name) => from[name] !== undefined && proxyVariable.test(name));
}

/** What tools that download may see besides: proxies, certificates and where packages come from. */
const forDownloads = [
  proxyVariable,
  bundles,
  /^(PIP|UV)_[A-Z_]+$/,
  /^GO(PROXY|SUMDB|NOSUMDB|NOPROXY|PRIVATE|INSECURE|AUTH|TELEMETRY)$/,
  /^(NETRC|JAVA_TOOL_OPTIONS)$/,
];

/** Where programs find what belongs to the user's session, such as a store of credentials. */
const session = /^(XDG_[A-Z_]+|DBUS_SESSION_BUS_ADDRESS|SSH_AUTH_SOCK|GNUPGHOME)$/;

/** What each program of the user's may see besides. */
const forTools = {
  docker: [/^DOCKER_[A-Z_]+$/, proxyVariable, session],
  aws: [/^AWS_[A-Z0-9_]+$/, proxyVariable, bundles, session],
  // Not GIT_DIR and the like: they would lead from this checkout to another.
  git: [/^GIT_CONFIG_[A-Z0-9_]+$/, session],
  // With what opens its state, also in a cloud's store; never PULUMI_CONFIG.
  pulumi: [
    /^PULUMI_(?!CONFIG$|CONFIG_SECRET)[A-Z_]+$/,
    /^(AWS|AZURE|ARM|GOOGLE|CLOUDSDK)_[A-Z0-9_]+$/,
    ...[proxyVariable, bundles, session],
  ],
  browser: [
    session,
    /^(DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|BROWSER|DESKTOP_SESSION)$/,
    /^(KDE|WSL)/,
  ],
  // Managers of versions put a script in the place of an interpreter.
  language: [/^(ASDF|GOENV|JENV|MISE|PYENV)_([A-Z]+_)*(ROOT|DIR|FILE|VERSION)$/],
} as const;

function allowed(patterns: readonly RegExp[], from: NodeJS.ProcessEnv): Environment {
  const found = Object.entries(from).filter(
    ([name, value]) => value !== undefined && patterns.some((pattern) => pattern.test(name)),
  );
  return Object.fromEntries(found) as Environment;
}

/** Environment of services and jobs. */
export function plainEnvironment(from: NodeJS.ProcessEnv = process.env): Environment {
  return allowed(plain, from);
}

/** Environment of a program that the user has installed. */
export function toolEnvironment(
  tool: keyof typeof forTools,
  from: NodeJS.ProcessEnv = process.env,
): Environment {
  return allowed([...plain, ...forTools[tool]], from);
}

const systemCertificates = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

function systemCertificate(): string | undefined {
  return systemCertificates.find((file) => fs.existsSync(file));
}

/** Environment of jobs that make datasets: Python's requests trusts what the system trusts, too. */
export function datasetEnvironment(from: NodeJS.ProcessEnv = process.env): Environment {
  const trusted = from.SSL_CERT_FILE || systemCertificate();
  return {
    ...(trusted ? { REQUESTS_CA_BUNDLE: trusted } : {}),
    ...allowed([...plain, proxyVariable, bundles], from),
  };
}

/**
 * Environment of tools that download: pip and uv trust what the system trusts, which behind a
 * company's proxy is more than they carry.
 */
export function downloadEnvironment(from: NodeJS.ProcessEnv = process.env): Environment {
  const system = systemCertificate();
  return {
    ...(system ? { PIP_CERT: system, UV_SYSTEM_CERTS: "1" } : {}),
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
    ...allowed([...plain, ...forDownloads], from),
  };
}
