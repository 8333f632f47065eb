import { XMLParser } from "fast-xml-parser";
import * as http from "node:http";

/** A value of XML-RPC, as far as supervisord speaks it. */
export type RpcValue =
  string | number | boolean | readonly RpcValue[] | { readonly [name: string]: RpcValue };

/** What supervisord answered instead of a result, e.g. `BAD_NAME: minio`. */
export class RpcFault extends Error {}

/** supervisord's states of a program. */
export type ProgramState =
  "STOPPED" | "STARTING" | "RUNNING" | "BACKOFF" | "STOPPING" | "EXITED" | "FATAL" | "UNKNOWN";

export interface ProgramInfo {
  readonly name: string;
  readonly statename: ProgramState;
  /** 0 when it does not run. */
  readonly pid: number;
  /** Seconds since the epoch. */
  readonly start: number;
  readonly now: number;
  readonly spawnerr: string;
  readonly exitstatus: number;
}

/**
 * Calls supervisord's XML-RPC interface at a unix socket (http://supervisord.org/api.html). Done
 * here rather than by `supervisorctl`, so that a stack can be looked at and ended without Python.
 *
 * @throws RpcFault where supervisord refuses; an Error with a code such as ECONNREFUSED or ENOENT
 *   where it is dead
 */
export async function callSupervisor(
  socketPath: string,
  method: string,
  args: readonly (string | boolean)[] = [],
  timeoutMs = 30_000,
): Promise<RpcValue> {
  const body = `<?xml version="1.0"?><methodCall><methodName>supervisor.${method}</methodName><params>${args
    .map((arg) => `<param><value>${asXml(arg)}</value></param>`)
    .join("")}</params></methodCall>`;
  return parseResponse(await post(socketPath, body, timeoutMs));
}

function asXml(value: string | boolean): string {
  return typeof value === "boolean"
    ? `<boolean>${value ? 1 : 0}</boolean>`
    : `<string>${value.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</string>`;
}

function post(socketPath: string, body: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        socketPath,
        path: "/RPC2",
        method: "POST",
        agent: false,
        headers: { "Content-Type": "text/xml", "Content-Length": Buffer.byteLength(body) },
        timeout: timeoutMs,
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("end", () => resolve(text)).on("error", reject);
      },
    );
    request.on("timeout", () => request.destroy(new Error("supervisord does not answer")));
    request.on("error", reject).end(body);
  });
}

/** A parsed `<value>`: bare text, or an object with the type's tag as a key. */
type Value = string | Readonly<Record<string, unknown>>;

const parser = new XMLParser({
  // Types come by tags; a name made of digits is still a string.
  parseTagValue: false,
  trimValues: false,
  isArray: (name, path) => name === "member" || String(path).endsWith("data.value"),
});

/**
 * Reads the answer to a call.
 *
 * @throws RpcFault where the answer is a fault
 */
export function parseResponse(xml: string): RpcValue {
  const { methodResponse: { params, fault } = {} } = parser.parse(xml) as {
    methodResponse?: { params?: { param: { value: Value } }; fault?: { value: Value } };
  };
  if (fault) throw new RpcFault((read(fault.value) as { faultString: string }).faultString);
  if (!params) throw new Error(`not an XML-RPC answer: ${xml.slice(0, 200)}`);
  return read(params.param.value);
}

function read(value: Value): RpcValue {
  if (typeof value === "string") return value;
  if ("array" in value) {
    const { data } = value.array as { data: { value?: Value[] } };
    return (data.value ?? []).map(read);
  }
  if ("struct" in value) {
    const { member = [] } = value.struct as { member?: { name: string; value: Value }[] };
    return Object.fromEntries(member.map(({ name, value }) => [name, read(value)]));
  }
  if ("boolean" in value) return value.boolean === "1";
  const number = value.int ?? value.i4 ?? value.double;
  return number === undefined ? ((value.string as string | undefined) ?? "") : Number(number);
}
