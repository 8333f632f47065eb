import * as command from "@pulumi/command";

for (let at = 0; at < Number(process.env.BARE_COMMANDS); at++) {
  new command.local.Command(`command-${at}`, { create: "true" });
}
