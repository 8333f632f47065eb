import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { stringify } from "yaml";
import * as embedded from "../../embedded";
import { stackPassphrase } from "../../cli/project";
import { isCliOnPath } from "../../cli/runners/pulumiCli";
import { stackFolder } from "../../infra/host/folders";
import { stackFiles } from "../../infra/stack/files";
import { stackBackendUrl } from "../../infra/stack/claim";
import type { Contender } from "../harness";
import { withNode } from "../render";
import type { Benchmark, BenchStack } from "../stack";
import { folders } from "./uploads";

export const noChange: Benchmark = {
  name: "no-change",
  what: "npm start, and pulumi up, with nothing to do against a bare Pulumi program",
  async run(bench) {
    await bench.deployed();
    const { resources = [] } =
      embedded.exportState(stackFolder(bench.stack.name))?.deployment ?? {};
    const commands = resources.filter(({ type }) => type === "command:local:Command").length;
    const plan = { repeats: "9", ...bench.plan };
    const title = `no-change, ${commands} Commands`;
    const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "engine-comparison-bare-"));
    const measured = async (by: string, contenders: Contender[]) =>
      withNode(await bench.measured({ title: `${title}, ${by}`, plan, contenders }));
    try {
      const contenders = byEmbedded(bench.stack.name, scratch, commands);
      const ownRunner = await measured("embedded runner", contenders);
      if (!isCliOnPath()) {
        bench.note("`pulumi up` is left out: there is no Pulumi CLI on PATH.");
        return [ownRunner];
      }
      const pulumi = async (stack: BenchStack) => {
        await stack.start({ workloads: "taxi-report", taxiRows: 12_000 });
        return measured("Pulumi CLI", byPulumi(stack.name, scratch, commands));
      };
      return [ownRunner, await bench.stack.beside("pulumi", pulumi, "pulumi")];
    } finally {
      fs.rmSync(scratch, { recursive: true, force: true });
    }
  },
};

type Command = Pick<Contender, "argv" | "environment">;

function besideBare(name: string, ours: Command, bare: Command): Contender[] {
  return [
    { name, ...ours, against: "bare program" },
    { name: "bare program", ...bare },
  ];
}

function byEmbedded(stack: string, scratch: string, commands: number): Contender[] {
  const start = ["cli/main.mjs", "start", "--stack", stack];
  const up = [
    "--require",
    "./infra/host/typeScript.cjs",
    "bench/bare/up.ts",
    path.join(scratch, "embedded"),
  ];
  return besideBare(
    "npm start",
    { argv: [process.execPath, ...start], environment: folders() },
    { argv: [process.execPath, ...up], environment: { BARE_COMMANDS: String(commands) } },
  );
}

function byPulumi(stack: string, scratch: string, commands: number): Contender[] {
  const up = (name: string, folder: string) => [
    ...["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
    ...["--stack", name, "--cwd", folder],
  ];
  const quick = { PULUMI_SKIP_UPDATE_CHECK: "true", PULUMI_NODEJS_TRANSPILE_ONLY: "true" };
  const project = path.join(scratch, "project");
  const backend = path.join(scratch, "backend");
  for (const folder of [project, backend]) fs.mkdirSync(folder);
  const main = path.resolve(__dirname, "..", "bare");
  const declared = stringify({ name: "bare", runtime: "nodejs", main });
  fs.writeFileSync(path.join(project, "Pulumi.yaml"), declared);
  const bare = {
    ...quick,
    BARE_COMMANDS: String(commands),
    PULUMI_BACKEND_URL: `${pathToFileURL(backend).href}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE: "",
  };
  execFileSync("pulumi", ["stack", "init", "bare", "--cwd", project], {
    env: { ...process.env, ...bare },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const environment = {
    ...folders(),
    ...quick,
    PULUMI_BACKEND_URL: stackBackendUrl(stack),
    ...stackPassphrase(stack).environment,
  };
  return besideBare(
    "pulumi up",
    { argv: up(stack, stackFiles(stack).project), environment },
    { argv: up("bare", project), environment: bare },
  );
}
