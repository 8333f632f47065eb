import * as net from "node:net";
import { describe, expect, it } from "vitest";
import { isFree, portTaken } from "../../../infra/host/freePorts";
import {
  chooseJava,
  type JavaFacts,
  findPython,
  pythonRange,
  type Python,
} from "../../../infra/host/runtimes";
import { socketsOn, whoListens } from "../../../infra/host/processTable";

describe("Python", () => {
  const range = { min: 10, max: 13 };
  const has = (found: Record<string, Partial<Python>>) => (command: string) =>
    found[command] && {
      path: `/bin/${command}`,
      version: "3.11.2",
      makesVenvs: true,
      ...found[command],
    };

  it("is read from requires-python", () => {
    expect(pythonRange('requires-python = ">=3.10,<3.14" # why')).toEqual(range);
    expect(() => pythonRange("")).toThrow("requires-python");
  });

  it("is python3 where the lock covers it", () => {
    const ask = has({ python3: { version: "3.12.1" }, "python3.13": { version: "3.13.0" } });
    expect(findPython(range, ask).version).toBe("3.12.1");
  });

  it("is the newest that the lock covers where python3 is too old or too new", () => {
    for (const version of ["3.9.2", "3.14.0"]) {
      const ask = has({
        python3: { version },
        "python3.11": {},
        "python3.10": { version: "3.10.1" },
      });
      expect(findPython(range, ask).path).toBe("/bin/python3.11");
    }
  });

  it("passes over one that cannot make environments, and says what to install if it is the only one", () => {
    const bare = { version: "3.11.2", makesVenvs: false };
    expect(findPython(range, has({ python3: bare, "python3.12": {} })).path).toBe(
      "/bin/python3.12",
    );
    expect(() => findPython(range, has({ python3: bare }))).toThrow(
      "/bin/python3 (3.11.2) lacks the modules venv and ensurepip\n" +
        "  why: the engines are installed into an environment of their own\n" +
        "  do:  install them: apt-get install python3-venv",
    );
  });

  it("says what was found when nothing fits", () => {
    expect(() => findPython(range, has({ python3: { version: "3.8.1" } }))).toThrow(
      "Python 3.10 to 3.13 is needed; found: /bin/python3 (3.8.1)",
    );
    expect(() => findPython(range, has({}))).toThrow("found: none");
  });
});

describe("Java", () => {
  const jdk = (home: string, version: string, vector = true): JavaFacts => ({
    home,
    version,
    modules: new Set(vector ? ["java.base", "jdk.incubator.vector"] : ["java.base"]),
  });

  it.each([
    [[jdk("/a", "17.0.15")], "/a"],
    [[jdk("/a", "21.0.2")], "/a"],
    [[jdk("/a", "11.0.1"), jdk("/b", "17.0.1")], "/b"],
    [[jdk("/a", "17.0.1", false), jdk("/b", "21")], "/b"],
    [[jdk("/a", "1.8.0_302"), jdk("/b", "21-ea")], "/b"],
  ])("of %j is %s", (candidates, home) => {
    expect(chooseJava(candidates).home).toBe(home);
  });

  it("is refused when cut down, of another version or missing, with what to install", () => {
    expect(() => chooseJava([jdk("/a", "17.0.1", false)])).toThrow(
      "a full JDK 17 or 21 is needed, but /a (17.0.1) lacks the module jdk.incubator.vector",
    );
    expect(() => chooseJava([jdk("/a", "11.0.1")])).toThrow("found: /a (11.0.1)");
    expect(() => chooseJava([])).toThrow(/found: none[^]*apt-get install openjdk-17-jdk-headless/);
  });
});

describe("ports", () => {
  it("are found in /proc/net/tcp when something listens on them", () => {
    const table = [
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
      "   0: 0100007F:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1",
      "   1: 0100007F:2328 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1",
      "   2: 0100007F:2329 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1",
    ].join("\n");
    expect(socketsOn(9000, table)).toEqual(["4711"]);
    expect(socketsOn(9002, table)).toEqual([]);
  });

  it("are taken while a server listens, and the server is found", async () => {
    const server = net.createServer();
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const { port } = server.address() as net.AddressInfo;
    expect(await isFree(port)).toBe(false);
    if (process.platform === "linux") expect(whoListens(port)?.pid).toBe(process.pid);
    await new Promise((closed) => server.close(closed));
    expect(await isFree(port)).toBe(true);
  });

  it("say who has them, what they are for and how to move", () => {
    const taken = { port: 9000, purpose: "MinIO's S3 API", who: "node (pid 12)" };
    expect(portTaken({ ...taken, freeOffset: 100 }, 0).message).toBe(
      "port 9000 is taken by node (pid 12)\n  why: with portOffset 0 it is for MinIO's S3 API\n  do:  end that process, " +
        "or move this stack's ports: --config portOffset=100 (pulumi config set portOffset 100) is free",
    );
    expect(portTaken(taken, 0).fix).toBe("end that process: no portOffset is free");
  });
});
