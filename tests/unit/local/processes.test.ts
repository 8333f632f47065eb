import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import {
  endOrphans,
  serviceVariable,
  markedProcesses,
} from "../../../infra/targets/local/supervisord";
import { withDescendants } from "../../../infra/host/processTable";
import { programConf } from "../../../infra/targets/local/supervisord";
import { parseResponse, RpcFault } from "../../../infra/targets/local/supervisord";

describe("supervisord's configuration", () => {
  const program = {
    name: "minio",
    argv: ["/a folder/minio", "server"],
    env: { FILE: "/a folder/100%" },
    directory: "/tmp",
    log: "/tmp/minio.log",
    stopSeconds: 3,
  };

  it("quotes words and doubles percent signs", () => {
    const conf = programConf(program);
    expect(conf).toContain('command="/a folder/minio" "server"\n');
    expect(conf).toContain('environment=FILE="/a folder/100%%"\n');
    expect(conf).toContain("stopwaitsecs=3\n");
    expect(conf).toContain("stopsignal=TERM\n");
  });

  it.each(['a"b', "a\nb", "a\\b", "a ;b", "a #b"])("refuses %j, which it cannot write", (word) => {
    expect(() => programConf({ ...program, argv: [word] })).toThrow("supervisord cannot be given");
  });
});

describe("supervisord's answers", () => {
  const answer = (value: string) =>
    `<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>${value}</value>\n</param>\n</params>\n</methodResponse>\n`;

  it.each([
    ["<boolean>1</boolean>", true],
    ["<int>-7</int>", -7],
    ["<string>a &lt;b&gt; &amp;amp;</string>", "a <b> &amp;"],
    ["<string></string>", ""],
    ["bare", "bare"],
    ["<array><data>\n</data></array>", []],
    [
      "<array><data>\n<value><array><data>\n<value><string>x</string></value>\n</data></array></value>\n<value><array><data>\n</data></array></value>\n</data></array>",
      [["x"], []],
    ],
    [
      "<array><data>\n<value><struct>\n<member>\n<name>name</name>\n<value><string>minio</string></value>\n</member>\n<member>\n<name>pid</name>\n<value><int>12</int></value>\n</member>\n</struct></value>\n</data></array>",
      [{ name: "minio", pid: 12 }],
    ],
  ])("%j is read", (xml, value) => {
    expect(parseResponse(answer(xml))).toEqual(value);
  });

  it("that are faults are thrown", () => {
    const fault =
      "<?xml version='1.0'?><methodResponse><fault><value><struct><member><name>faultCode</name><value><int>10</int></value></member>" +
      "<member><name>faultString</name><value><string>BAD_NAME: x</string></value></member></struct></value></fault></methodResponse>";
    expect(() => parseResponse(fault)).toThrow(new RpcFault("BAD_NAME: x"));
    expect(() => parseResponse("<html>")).toThrow("not an XML-RPC answer");
  });
});

it("descendants are found however the table is ordered", () => {
  const row = (pid: number, parent: number) => ({ pid, parent, name: "x", session: 1 });
  const table = [row(5, 4), row(4, 2), row(2, 1), row(3, 1), row(1, 0)];
  expect(withDescendants([2], table).sort()).toEqual([2, 4, 5]);
});

describe.runIf(fs.existsSync("/proc/self/environ"))("leftovers of a supervisor", () => {
  const children: ChildProcess[] = [];
  const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

  /** A process that survives SIGTERM, with a child that has lost the mark. */
  async function start(mark: string): Promise<ChildProcess> {
    const script = "trap '' TERM; env -i sleep 60 & echo ready; wait";
    const child = spawn("bash", ["-c", script], {
      env: { PATH: process.env.PATH, [serviceVariable]: mark },
      stdio: ["ignore", "pipe", "ignore"],
    });
    children.push(child);
    await new Promise((ready) => child.stdout.once("data", ready));
    return child;
  }
  afterEach(() => children.splice(0).forEach((child) => child.kill("SIGKILL")));

  it("are ended with their descendants, and those of other stacks are left alone", async () => {
    const id = `test-${process.pid}`;
    const [mine, other, neighbour] = await Promise.all([
      start(`${id}/minio`),
      start(`${id}/ray-head`),
      start(`${id}-x/minio`),
    ]);
    expect(
      markedProcesses(id)
        .map(({ service }) => service)
        .sort(),
    ).toEqual(["minio", "ray-head"]);
    expect(await endOrphans(id, (service) => service === "minio")).toBe(2);
    await new Promise((done) => setTimeout(done, 50));
    expect([ended(mine), ended(other), ended(neighbour)]).toEqual([true, false, false]);
    await endOrphans(id);
    expect(markedProcesses(id)).toEqual([]);
    expect(ended(neighbour)).toBe(false);
    await endOrphans(`${id}-x`);
  });
});
