import * as embedded from "../../embedded";

/** Deploys the bare program by the embedded runner; the state's folder is the argument. */
async function main(stackFolder: string): Promise<void> {
  const outcome = await embedded.up({
    projectDir: __dirname,
    project: "bare",
    stack: "bare",
    stackFolder,
    config: {},
    secretKeys: [],
    passphrase: "",
    onEvent: () => {},
  });
  for (const error of outcome.errors) console.error(error);
  process.exitCode = outcome.ok ? 0 : 1;
}

void main(process.argv[2]);
