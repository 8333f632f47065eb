import * as readline from "node:readline";
import type { HostWatch } from "../../contracts/platform";
import type { Docker } from "./daemon";

/** What a container's kernel counters say at one moment. */
export interface Reading {
  /** Memory in use without the file cache that could be dropped at once, bytes. */
  readonly memory: number;
  /** CPU since the container's start, seconds. */
  readonly cpu: number;
  /** CPU that the whole machine has spent on work since its start, seconds. */
  readonly machine: number;
}

/**
 * Prints a line four times a second until its stdin ends: memory in use, file cache that could be
 * dropped (bytes), CPU of the container (microseconds with cgroup 2, nanoseconds with 1), and the
 * machine's CPU times (hundredths of seconds: user, nice, system, idle, iowait, irq, softirq, steal).
 * Only shell builtins, so that it costs next to nothing.
 */
const sampler = String.raw`
cgroup=/sys/fs/cgroup
if [ -e $cgroup/memory.current ]; then
  usage=$cgroup/memory.current stat=$cgroup/memory.stat cache=inactive_file version=2
else
  usage=$cgroup/memory/memory.usage_in_bytes stat=$cgroup/memory/memory.stat cache=total_inactive_file version=1
fi
while :; do
  read -r used <$usage
  dropped=0
  while read -r name value; do [ $name = $cache ] && dropped=$value; done <$stat
  if [ $version = 2 ]; then read -r _ cpu <$cgroup/cpu.stat; else read -r cpu <$cgroup/cpuacct/cpuacct.usage; fi
  read -r _ machine </proc/stat
  echo "$version $used $dropped $cpu $machine"
  read -r -t 0.25 _
  [ $? -gt 128 ] || exit 0
done`;

/**
 * Reads a line of the sampler.
 *
 * @returns undefined for a line of another form
 */
export function parseReading(line: string): Reading | undefined {
  const numbers = line.trim().split(/\s+/).map(Number);
  if (numbers.length < 12 || numbers.some(Number.isNaN)) return undefined;
  const [version, used, dropped, cpu, user, nice, system, , , irq, softirq, steal] = numbers;
  return {
    memory: Math.max(0, used - dropped),
    cpu: cpu / (version === 2 ? 1e6 : 1e9),
    machine: (user + nice + system + irq + softirq + steal) / 100,
  };
}

/** Follows the containers of an engine, and the store's, while a job runs. */
export async function watchContainers(
  docker: Docker,
  engine: readonly string[],
  store: string,
): Promise<HostWatch> {
  const followed = await startAll(docker, [...engine, store]);
  const storeFollower = followed.pop()!;
  const sum = (value: (follower: Follower) => number) =>
    followed.reduce((total, follower) => total + value(follower), 0);
  const idle = sum(({ latest }) => latest.memory);
  let peak = idle;
  let readings = 1;
  const onReading = () => {
    peak = Math.max(
      peak,
      sum(({ latest }) => latest.memory),
    );
    readings += 1;
  };
  for (const follower of followed) follower.onReading = onReading;
  return {
    read() {
      const cpu = sum(({ spent }) => spent);
      const others = storeFollower.machineSpent - cpu - storeFollower.spent;
      return {
        memoryMeasure: "cgroup",
        peakMemoryBytes: peak,
        idleMemoryBytes: idle,
        cpuSeconds: round(cpu),
        othersCpuSeconds: round(Math.max(0, others)),
        readings,
      };
    },
    async stop() {
      await Promise.all([...followed, storeFollower].map((follower) => follower.stop()));
    },
  };
}

/** @throws Error when one of them gives no reading; the others' samplers are then ended */
async function startAll(docker: Docker, containers: readonly string[]): Promise<Follower[]> {
  const started = await Promise.allSettled(containers.map((id) => Follower.start(docker, id)));
  const followers = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const failed = started.find((each) => each.status === "rejected");
  if (!failed) return followers;
  await Promise.all(followers.map((follower) => follower.stop()));
  throw failed.reason;
}

/** How long a sampler may take to see that its stdin has ended. */
const patienceMs = 5_000;

const round = (seconds: number) => Math.round(seconds * 1000) / 1000;

/** One container's readings. */
class Follower {
  latest: Reading;
  onReading: () => void = () => {};

  private constructor(
    private readonly first: Reading,
    private readonly child: ReturnType<Docker["start"]>,
    /** Resolves when the sampler has ended, however it did. */
    private readonly ended: Promise<unknown>,
  ) {
    this.latest = first;
  }

  /** CPU of the container, and of the machine, since the first reading, seconds. */
  get spent(): number {
    return this.latest.cpu - this.first.cpu;
  }

  get machineSpent(): number {
    return this.latest.machine - this.first.machine;
  }

  /** @throws Error when the container gives no reading */
  static start(docker: Docker, container: string): Promise<Follower> {
    const child = docker.start(["exec", "--interactive", container, "bash", "-c", sampler]);
    const ended = new Promise((resolve) => child.once("close", resolve));
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on("error", () => {}); // a container that is gone tells by its end
    return new Promise((resolve, reject) => {
      let follower: Follower | undefined;
      readline.createInterface({ input: child.stdout }).on("line", (line) => {
        const reading = parseReading(line);
        if (!reading) return;
        if (!follower) resolve((follower = new Follower(reading, child, ended)));
        follower.latest = reading;
        follower.onReading();
      });
      child.on("error", reject);
      child.on("close", () =>
        reject(new Error(`no memory can be read in container ${container}: ${stderr.trim()}`)),
      );
    });
  }

  /** Ends the sampler: it lives as long as its stdin. */
  async stop(): Promise<void> {
    this.child.stdin.end();
    const kill = setTimeout(() => this.child.kill("SIGKILL"), patienceMs);
    await this.ended;
    clearTimeout(kill);
  }
}
