import * as readline from "node:readline";
import type { HostWatch } from "../../contracts/platform";
import type { Docker } from "./daemon";

/** The sampler that runs use on every target (engine_comparison/sampler.py), over a whole container. */
const engineSampler = ["python", "-m", "engine_comparison.sampler"];

/** The store's image has no Python; of the store, only its CPU is wanted: seconds, by its cgroup. */
const storeSampler = String.raw`
while read -r _; do
  if [ -e /sys/fs/cgroup/cpu.stat ]; then
    read -r _ used </sys/fs/cgroup/cpu.stat
  else
    read -r used </sys/fs/cgroup/cpuacct/cpuacct.usage
    used=$((used / 1000))
  fi
  printf '{"storeCpu": %d.%06d}\n' $((used / 1000000)) $((used % 1000000))
done`;

/**
 * Follows the containers of an engine, and the store's, while a job runs. What their samplers
 * answer, the job adds up.
 *
 * @throws Error when one of them gives no reading; the others are then ended
 */
export async function watchContainers(
  docker: Docker,
  engine: readonly string[],
  store: string,
): Promise<HostWatch> {
  const samplers = [
    ...engine.map((id) => new Sampler(docker, id, engineSampler, '{"all": true}\n')),
    new Sampler(docker, store, ["bash", "-c", storeSampler]),
  ];
  const watch: HostWatch = {
    ask: (question) => Promise.all(samplers.map((sampler) => sampler.ask(question))),
    async stop() {
      await Promise.all(samplers.map((sampler) => sampler.stop()));
    },
  };
  try {
    await watch.ask("read");
    return watch;
  } catch (error) {
    await watch.stop();
    throw error;
  }
}

/** How long a sampler may take to see that its stdin has ended. */
const patienceMs = 5_000;

/** A process in a container that answers a line by a line of JSON. */
class Sampler {
  private readonly child: ReturnType<Docker["start"]>;
  private readonly answers: AsyncIterator<string>;
  /** Resolves when it has ended, however it did. */
  private readonly ended: Promise<unknown>;
  private said = "";

  constructor(
    docker: Docker,
    private readonly container: string,
    command: readonly string[],
    begin = "",
  ) {
    this.child = docker.start(["exec", "--interactive", container, ...command]);
    this.ended = new Promise((resolve) => this.child.once("close", resolve));
    this.child.on("error", (error) => (this.said += error.message));
    this.child.stderr.on("data", (chunk: Buffer) => (this.said += chunk.toString()));
    this.child.stdin.on("error", () => {}); // a container that is gone tells by its end
    this.answers = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.child.stdin.write(begin);
  }

  /** @throws Error when the container gives no answer */
  async ask(question: string): Promise<object> {
    this.child.stdin.write(`${question}\n`);
    const answer = await this.answers.next();
    if (!answer.done) return JSON.parse(answer.value) as object;
    await this.ended;
    throw new Error(
      `no memory can be read in container ${this.container}: ${this.said.trim() || "its sampler ended"}`,
    );
  }

  /** Ends the sampler: it lives as long as its stdin. */
  async stop(): Promise<void> {
    this.child.stdin.end();
    const kill = setTimeout(() => this.child.kill("SIGKILL"), patienceMs);
    await this.ended;
    clearTimeout(kill);
  }
}
