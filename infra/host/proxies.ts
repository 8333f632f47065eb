/** The variables that say which proxies to use. */
export const proxyVariable = /^(https?|all|no)_proxy$/i;

/** Names of those that are set. */
export function proxyVariables(from: NodeJS.ProcessEnv = process.env): string[] {
  return Object.keys(from).filter((name) => from[name] !== undefined && proxyVariable.test(name));
}
