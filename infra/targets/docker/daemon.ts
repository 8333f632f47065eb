import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import * as fs from "node:fs";
import { UserError, wrong } from "../../contracts/errors";
import { toolEnvironment } from "../../host/environment";
import { readJson, stackFiles, writeJson } from "../../stack/files";

/** A Docker daemon, by its address, such as `unix:///var/run/docker.sock`, and its own lasting id. */
export interface Daemon {
  readonly host: string;
  readonly id: string;
}

/** What is read here of `docker info`. Fields that a daemon is too old for are missing. */
export interface DaemonInfo {
  readonly ID?: string;
  readonly ServerVersion?: string;
  readonly OSType?: string;
  readonly OperatingSystem?: string;
  /** Where images, containers and volumes are. */
  readonly DockerRootDir?: string;
  readonly NCPU?: number;
  readonly MemTotal?: number;
  readonly Runtimes?: Readonly<Record<string, unknown>>;
  /** Since Docker 28: devices that can be asked for by name. */
  readonly DiscoveredDevices?: readonly { readonly Source?: string; readonly ID?: string }[] | null;
  /** Pairs of a name and a value. */
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
  readonly ServerErrors?: readonly string[];
}

/** Whether images are kept in containerd's store, for which the provider makes no promise. */
export function hasContainerdStore({ DriverStatus }: DaemonInfo): boolean {
  return (DriverStatus ?? []).some(([, value]) => value.startsWith("io.containerd.snapshotter"));
}

/** Docker Desktop has its daemon in its own machine. */
export function isDesktop({ OperatingSystem }: DaemonInfo): boolean {
  return OperatingSystem === "Docker Desktop";
}

const timeoutMs = 20_000;

const advice =
  "start Docker (and see that this user may use it: `docker info`), or run `npm start`, which " +
  "deploys stack local without Docker";

/**
 * The address that the `docker` command uses: DOCKER_HOST, DOCKER_CONTEXT or the current context.
 * The provider knows nothing of contexts, so it is given this address.
 *
 * @throws UserError without `docker`, or for a daemon on another machine
 */
export function daemonHost(): string {
  const args = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
  const answer = call(args, toolEnvironment("docker"), timeoutMs);
  if (answer.error) throw noDocker("the `docker` command is not on PATH");
  if (answer.status !== 0) {
    throw saysPodman(["--version"], toolEnvironment("docker"))
      ? podman("the command `docker`")
      : noDocker(firstLine(answer.stderr));
  }
  return checkLocal(answer.stdout.trim());
}

/** Whether an answer of the `docker` command names Podman, whose command or socket it may be. */
function saysPodman(args: readonly string[], env: Record<string, string>): boolean {
  return /podman/i.test(call(args, env, timeoutMs).stdout ?? "");
}

function podman(what: string): UserError {
  return new UserError(
    `target docker needs a Docker daemon, and ${what} is Podman's`,
    "images are built and containers declared through Docker's own API, and Podman is not supported",
    "install Docker Engine (https://docs.docker.com/engine/install/) and unset DOCKER_HOST, or run `npm start`, which " +
      "deploys stack local without containers",
  );
}

/** Refuses a daemon on another machine. @throws UserError, for instance for `ssh://somewhere` */
export function checkLocal(host: string): string {
  if (/^(unix|npipe):\/\/|^tcp:\/\/(127\.0\.0\.1|localhost|\[::1\])(:|$)/.test(host)) return host;
  throw new UserError(
    `Docker's daemon is at ${host}, on another machine`,
    "the services listen on that machine's loopback interface only, and data could not be uploaded",
    "deploy from that machine, or choose a daemon of this one: `docker context use default`, unset DOCKER_HOST",
  );
}

function noDocker(what: string): UserError {
  const problem = `target docker needs a Docker daemon: ${what}`;
  return new UserError(problem, "its services are containers", advice);
}

const firstLine = (text: string) => text.trim().split("\n")[0];

/**
 * Asks the daemon what it is and has.
 *
 * @throws UserError when it does not answer in time, or is Podman's
 */
export function daemonInfo(host: string): DaemonInfo {
  const { environment } = new Docker(host);
  const answer = call(["info", "--format", "{{json .}}"], environment, timeoutMs);
  if (answer.error) throw noDocker(`no answer within ${timeoutMs / 1000} s from ${host}`);
  const info = answer.stdout.trim() === "" ? {} : (JSON.parse(answer.stdout) as DaemonInfo);
  const errors = info.ServerErrors ?? [];
  if (answer.status !== 0 || errors.length > 0 || !info.ServerVersion) {
    throw noDocker(errors[0] ?? (firstLine(answer.stderr) || `no answer from ${host}`));
  }
  // Podman's versions are below 10, and Docker's never were since 17: only such a one is asked.
  const components = ["version", "--format", "{{json .Server.Components}}"];
  if (parseInt(info.ServerVersion) < 10 && saysPodman(components, environment)) {
    throw podman(`the daemon at ${host}`);
  }
  return info;
}

/** The daemon that the stack was deployed to: all later commands talk to this one. */
export const daemonRecord = {
  read: (stack: string) => readJson<Daemon>(stackFiles(stack).daemon),
  write: (stack: string, daemon: Daemon) => writeJson(stackFiles(stack).daemon, daemon),
  remove: (stack: string) => fs.rmSync(stackFiles(stack).daemon, { force: true }),
};

/** What is wrong where the daemon found now is not the one that has the stack's containers. */
export function anotherDaemon(stack: string, recorded: Daemon | undefined, now: Daemon) {
  if (!recorded || recorded.id === now.id) return [];
  return wrong(
    `stack ${stack} is on the Docker daemon ${recorded.host} (${recorded.id}), and this is ${now.host} (${now.id})`,
    "its containers and data would be made a second time there, and the first ones forgotten",
    `set DOCKER_HOST=${recorded.host}, or destroy the stack first; if that daemon is gone, remove ${stackFiles(stack).daemon}`,
  );
}

/** Runs the `docker` command to its end, or for a time. */
function call(
  args: readonly string[],
  env: Record<string, string>,
  timeout?: number,
  input: string | number = "",
) {
  const given = typeof input === "string";
  return spawnSync("docker", args, {
    ...{ encoding: "utf8", timeout, env, maxBuffer: 2 ** 26, input: given ? input : undefined },
    stdio: [given ? "pipe" : input, "pipe", "pipe"],
  });
}

export class Docker {
  constructor(readonly host: string) {}

  /** The variables of a command that is to talk to this daemon, whatever the current context is. */
  get environment(): Record<string, string> {
    const { DOCKER_CONTEXT: _context, ...rest } = toolEnvironment("docker");
    return { ...rest, DOCKER_HOST: this.host };
  }

  /** For scripts: the recorded daemon, or the one that `docker` uses if the stack has none yet. */
  static of(stack: string): Docker {
    return new Docker(daemonRecord.read(stack)?.host ?? daemonHost());
  }

  /**
   * @param input the command's stdin: a text, or an open file
   * @throws Error with what it said on stderr
   */
  run(args: readonly string[], input?: string | number): string {
    const { status, stdout, stderr, error } = call(args, this.environment, undefined, input);
    if (status === 0) return stdout;
    throw new Error(
      `docker ${args[0]}: ${stderr?.trim() || (error?.message ?? `exit code ${status}`)}`,
    );
  }

  /** Whether a command succeeds in time, and all that it prints, errors too. */
  both(args: readonly string[], timeoutMs?: number): { ok: boolean; text: string } {
    const { status, stdout, stderr } = call(args, this.environment, timeoutMs);
    return { ok: status === 0, text: `${stdout}${stderr}` };
  }

  /** What a command prints; undefined for an exit code other than 0, or no answer in time. */
  try(args: readonly string[], timeoutMs?: number): string | undefined {
    const { status, stdout } = call(args, this.environment, timeoutMs);
    return status === 0 ? stdout : undefined;
  }

  /** Starts a command with pipes, such as `exec -i`. */
  start(args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn("docker", args, { env: this.environment, stdio: ["pipe", "pipe", "pipe"] });
  }
}
