import type { Jar } from "./locks";

/** An Ivy module that wants exactly these jars, without what they depend on. */
export function ivyXml(jars: readonly Jar[]): string {
  const wanted = jars.map(
    ({ group, artifact, version }) =>
      `    <dependency org="${group}" name="${artifact}" rev="${version}" conf="default->master" transitive="false" force="true"/>`,
  );
  return [
    '<ivy-module version="2.0">',
    '  <info organisation="engine-comparison" module="jars"/>',
    '  <configurations><conf name="default"/></configurations>',
    "  <dependencies>",
    ...wanted,
    "  </dependencies>",
    "</ivy-module>",
    "",
  ].join("\n");
}

/** Java does not read the proxy variables that everybody else does: the same as its own options. */
export function proxyOptions(env: NodeJS.ProcessEnv): string[] {
  const options = (["http", "https"] as const).flatMap((scheme) => {
    const value = env[`${scheme}_proxy`] || env[`${scheme.toUpperCase()}_PROXY`];
    if (!value) return [];
    const { hostname, port } = new URL(value.includes("://") ? value : `http://${value}`);
    return [`-D${scheme}.proxyHost=${hostname}`, `-D${scheme}.proxyPort=${port || "80"}`];
  });
  const direct = env.no_proxy || env.NO_PROXY;
  if (options.length === 0 || !direct) return options;
  const hosts = direct
    .split(",")
    .map((host) => host.trim())
    .filter(Boolean);
  return [
    ...options,
    `-Dhttp.nonProxyHosts=${hosts.map((host) => host.replace(/^\./, "*.")).join("|")}`,
  ];
}
