import { stackFiles } from "../../stack/files";

/** What a process needs to take part in, or talk to, the stack's Ray cluster. No secret is in it. */
export function rayAccess(stack: string): Record<string, string> {
  return {
    // Without the mode, Ray takes the user's own token from the home folder.
    RAY_AUTH_MODE: "token",
    RAY_AUTH_TOKEN_PATH: stackFiles(stack).rayToken,
    // Ray's own way, on other systems, to stay on the loopback interface; without it, the address
    // of the first interface is used, and everything listens on all of them.
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER: "0",
  };
}
