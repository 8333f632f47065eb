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

const entities: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
};

/**
 * Reads the answer to a call.
 *
 * @throws RpcFault where the answer is a fault
 */
export function parseResponse(xml: string): RpcValue {
  const tokens = xml.match(/<[^>]*>|[^<]+/g) ?? [];
  let at = tokens.findIndex((token) => token === "<value>");
  if (at < 0) throw new Error(`not an XML-RPC answer: ${xml.slice(0, 200)}`);

  const skipTo = (tag: string) => {
    while (at < tokens.length && tokens[at] !== tag) at++;
    at++;
  };
  const text = (close: string): string => {
    let found = "";
    while (at < tokens.length && tokens[at] !== close) found += tokens[at++];
    at++;
    return found.replace(/&(lt|gt|quot|apos|amp);/g, (entity) => entities[entity]);
  };
  /** Reads from behind `<value>` to behind `</value>`. */
  const value = (): RpcValue => {
    while (
      /^\s+$/.test(tokens[at]) &&
      tokens[at + 1].startsWith("<") &&
      tokens[at + 1] !== "</value>"
    )
      at++;
    const type = tokens[at];
    if (!type.startsWith("<") || type === "</value>") return text("</value>");
    at++;
    const read = typed(type);
    skipTo("</value>");
    return read;
  };
  const typed = (type: string): RpcValue => {
    switch (type) {
      case "<array>":
        return members("<value>", "</array>", value);
      case "<struct>":
        return Object.fromEntries(
          members("<member>", "</struct>", () => {
            skipTo("<name>");
            const name = text("</name>");
            skipTo("<value>");
            return [name, value()] as const;
          }),
        );
      case "<int>":
      case "<i4>":
      case "<double>":
        return Number(text(type.replace("<", "</")));
      case "<boolean>":
        return text("</boolean>") === "1";
      default:
        return text(type.replace("<", "</"));
    }
  };
  const members = <T>(open: string, close: string, read: () => T): T[] => {
    const list: T[] = [];
    while (at < tokens.length && tokens[at] !== close) {
      if (tokens[at++] === open) list.push(read());
    }
    at++;
    return list;
  };

  at++;
  const result = value();
  if (xml.includes("<fault>")) throw new RpcFault((result as { faultString: string }).faultString);
  return result;
}
