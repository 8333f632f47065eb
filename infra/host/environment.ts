import * as fs from "node:fs";
import { proxyVariable } from "./proxies";

type Environment = Record<string, string>;

/** What any process may see of the caller's environment. Nothing secret has one of these names. */
const plain = [
  /^(PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|TMPDIR|LANG|LC_[A-Z]+|JAVA_HOME|LD_LIBRARY_PATH)$/,
  /^(SSL_CERT_FILE|SSL_CERT_DIR)$/,
  /^(CUDA_VISIBLE_DEVICES|NVIDIA_[A-Z_]+|OPENBLAS_[A-Z0-9_]+)$/,
];

const bundles = /^(REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE)$/;

/** What tools that download may see besides: proxies, certificates and where packages come from. */
const forDownloads = [
  proxyVariable,
  bundles,
  /^(PIP|UV)_[A-Z_]+$/,
  /^GO(PROXY|SUMDB|NOSUMDB|NOPROXY|PRIVATE|INSECURE|AUTH|TELEMETRY)$/,
  /^(NETRC|JAVA_TOOL_OPTIONS)$/,
];

function allowed(patterns: readonly RegExp[], from: NodeJS.ProcessEnv): Environment {
  const found = Object.entries(from).filter(
    ([name, value]) => value !== undefined && patterns.some((pattern) => pattern.test(name)),
  );
  return Object.fromEntries(found) as Environment;
}

/** Environment of services and jobs: an allow-list, because a Command inherits the CLI's secrets. */
export function plainEnvironment(from: NodeJS.ProcessEnv = process.env): Environment {
  return allowed(plain, from);
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
