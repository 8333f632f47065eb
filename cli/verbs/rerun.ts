import { deploy } from "../deploy";
import { noStack } from "../noStack";
import { describeStack, openToDeploy } from "../session";
import type { Verb } from "../verb";
import { WrongUse } from "../wrongUse";

export const rerun: Verb = {
  usage: "<engine>/<workload> ...",
  summary: "do these runs again, although nothing about them has changed",
  syntax: { positionals: [1, 100] },
  async run(args) {
    if (!(await describeStack(args.stack))) throw noStack(args.stack);
    const session = await openToDeploy(args);
    const unknown = args.positionals.find((name) => !session.runs.includes(name));
    if (unknown !== undefined) {
      const runs = session.runs.join(", ");
      throw new WrongUse(`${JSON.stringify(unknown)} is no run of this stack: it has ${runs}`);
    }
    const standing = await session.runner.resources();
    const urns = standing
      .filter(({ type }) => type === "command:local:Command")
      .map(({ urn }) => urn)
      .filter((urn) => args.positionals.some((name) => urn.endsWith(`::${name}`)));
    return deploy(session, urns);
  },
};
