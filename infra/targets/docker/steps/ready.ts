import { setTimeout as sleep } from "node:timers/promises";
import { type StepVerbs } from "../../../stack/runStep";
import { UserError } from "../../../contracts/errors";
import { Docker } from "../daemon";

interface Spec {
  readonly role: string;
  /** The container's id. */
  readonly container: string;
  /** A bash script that succeeds in the container when the service does its work. */
  readonly health: string;
  readonly seconds: number;
  readonly facts: Readonly<Record<string, unknown>>;
}

interface State {
  readonly Status: string;
  readonly ExitCode: number;
  readonly OOMKilled: boolean;
}

const pollMs = 500;
/** A service that takes a connection and says nothing is not healthy either. */
const probeMs = 10_000;
const outOfMemory = "it ran out of memory";
/** A container that was restarted so often will not do better the next time. */
const mostRestarts = 2;

/** Waits until a container's service does its work; records the container. */
export default {
  async create({ stack, spec: { role, container, health, seconds, facts } }) {
    const docker = Docker.of(stack);
    const deadline = Date.now() + seconds * 1000;
    while (docker.try(["exec", container, "bash", "-c", health], probeMs) === undefined) {
      const ended = whyEnded(docker, container);
      if (ended || Date.now() > deadline)
        throw notReady(docker, role, container, ended ?? `not healthy after ${seconds} s`);
      await sleep(pollMs);
    }
    return { id: container, ...facts };
  },
} satisfies StepVerbs<Spec>;

/** Why the container does not go on, or undefined while it runs or is being restarted. */
function whyEnded(docker: Docker, container: string): string | undefined {
  const text = docker.try(["inspect", "--format", "{{json .State}}\t{{.RestartCount}}", container]);
  if (text === undefined) return "it was removed";
  const [state, restarts] = text.trim().split("\t");
  const { Status, ExitCode, OOMKilled } = JSON.parse(state) as State;
  const code = OOMKilled ? outOfMemory : `it ended with exit code ${ExitCode}`;
  if (Number(restarts) > mostRestarts) return `${code}, ${restarts} times`;
  return Status === "exited" || Status === "dead" ? code : undefined;
}

function notReady(docker: Docker, role: string, container: string, why: string): UserError {
  const name = docker.try(["inspect", "--format", "{{.Name}}", container])?.trim().slice(1) ?? role;
  const lines = docker.tail(container, 8).map((line) => `  | ${line.slice(0, 300)}`);
  return new UserError(
    [`${name} is not ready: ${why}`, ...lines].join("\n"),
    "what follows needs it",
    (why.includes(outOfMemory)
      ? "set containerMemory higher for it"
      : `read \`docker logs ${name}\``) +
      "; then run the same command again, which makes the container anew",
  );
}
