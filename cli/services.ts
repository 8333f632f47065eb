import type { ChildProcess } from "node:child_process";
import { readOwner } from "../infra/stack/owner";

/** A service of a stack, as people ask for it. */
export interface ServiceView {
  readonly name: string;
  /** In the words of what keeps it, e.g. RUNNING. */
  readonly state: string;
  readonly pid?: number;
  /** Seconds since it was started last. */
  readonly uptime?: number;
  /** A page to look at. */
  readonly url?: string;
}

/** What a target's services look like from the command line. */
export interface Services {
  status(stack: string): Promise<ServiceView[]>;
  /** Starts an interactive shell next to the services, on this terminal. */
  shell(stack: string): ChildProcess;
  /** Files or programs that have a service's log, by the service's name. */
  logs(stack: string): ReadonlyMap<string, ServiceLog>;
}

/** A log is a file, or what a command such as `docker logs` prints. */
export type ServiceLog =
  | { readonly file: string }
  | { readonly command: (lines: number, follow: boolean) => ChildProcess };

/** The services of `stack`, by the target that it was made for; undefined where there is none. */
export async function servicesOf(stack: string): Promise<Services | undefined> {
  switch (readOwner(stack)?.target) {
    case "local":
      return (await import("./services/local")).localServices;
    case "docker":
      return (await import("./services/docker")).dockerServices;
    case "cluster":
      return (await import("./services/cluster")).clusterServices;
    default:
      return undefined;
  }
}
