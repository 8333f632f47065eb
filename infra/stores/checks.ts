import { once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import * as pulumi from "@pulumi/pulumi";
import { npm, wrong, type UserError } from "../contracts/errors";
import { check, deployed, type Logs, type StackCheck, type StackContext } from "../host/checks";
import { storeAccess } from "./access";
import { prepareStore, storeNamed } from "./index";

/** What answered where the store should be. */
export interface StoreFacts {
  readonly endpoint: string;
  /** When it was asked, in milliseconds of the epoch. */
  readonly at: number;
  /** Of the answer to a request without credentials; undefined where there was none. */
  readonly answer?: { readonly server: string; readonly date: string };
  /** Why there was none, e.g. ECONNREFUSED. */
  readonly silent?: string;
}

/** S3 refuses requests whose clock is a quarter of an hour off; half of that is no accident. */
const maxSkewMs = 7 * 60_000;

export function wrongStore(
  { endpoint, at, answer, silent }: StoreFacts,
  subject: Pick<StackContext, "stack" | "settings">,
  logs: Logs,
): UserError[] {
  const { stack, settings } = subject;
  const isOwn = !storeNamed(settings.objectStore).external;
  if (!answer) {
    return wrong(
      `the object store does not answer at ${endpoint} (${silent})`,
      "all data is in it: runs and uploads fail with connection refused",
      isOwn
        ? `wait if it has just been started; else see ${logs(subject, "minio")}, then ${npm(stack, "start")} starts it again`
        : "check that it runs, that this machine reaches it, and that s3CaCertificates has the authority that signed its certificate",
    );
  }
  if (isOwn && !/minio/i.test(answer.server)) {
    return wrong(
      `${endpoint} is answered by ${answer.server || "a server without a name"}, not by MinIO`,
      "another program has the store's port",
      `end that program, then ${npm(stack, "start")}; or move the stack to another portOffset`,
    );
  }
  const skew = Math.abs(at - Date.parse(answer.date));
  if (!(skew > maxSkewMs)) return [];
  return wrong(
    `the store's clock and this machine's are ${Math.round(skew / 60_000)} minutes apart`,
    "requests are signed with the time and refused (RequestTimeTooSkewed); WSL2 and Docker Desktop lose time while the computer sleeps",
    "set the clocks: sudo hwclock -s, or wsl --shutdown, or restart Docker Desktop",
  );
}

/**
 * Asks who is at an address, without credentials.
 *
 * @param ca certificates that alone are trusted for it, as PEM. @default the system's
 */
export async function askStore(endpoint: string, ca?: string): Promise<StoreFacts> {
  const url = new URL("/minio/health/live", endpoint);
  const { get } = url.protocol === "https:" ? https : http;
  const at = Date.now();
  try {
    const request = get(url, { ca, signal: AbortSignal.timeout(5_000), agent: false });
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    answer.resume();
    const { server, date = "" } = answer.headers;
    return { endpoint, at, answer: { server: String(server ?? ""), date } };
  } catch (error) {
    const { cause, code, message } = error as NodeJS.ErrnoException & { cause?: Error };
    return { endpoint, at, silent: cause?.message ?? code ?? message };
  }
}

/** @param logs how the log of the stack's own store is read */
export const storeChecks = (logs: Logs): readonly StackCheck[] => [
  check({
    id: "store-access",
    name: "the stack can use the object store that the settings name",
    blocks: true,
    // Pulumi's providers can be asked only in a running program.
    applies: ({ settings }) =>
      storeNamed(settings.objectStore).providers === undefined || pulumi.runtime.hasMonitor(),
    observe: (context) => context.facts(prepareStore),
  }),
  check({
    id: "store",
    name: "the object store answers",
    blocks: false,
    applies: deployed,
    after: ["docker", "store-access"],
    observe: ({ stack }) => {
      const { endpoint, caCertificates } = storeAccess(stack);
      return askStore(endpoint, caCertificates);
    },
    judge: (facts, context) => wrongStore(facts, context, logs),
  }),
];
