/**
 * Loads a module when it is needed, in steps too: those read TypeScript by tsx's part for CommonJS,
 * because the part for `import()` costs each of them a quarter of a CPU second.
 *
 * @param from the module that asks: its `module`
 * @param name of what is loaded, as in `byImport`
 */
export async function load<Loaded>(
  from: NodeModule,
  name: string,
  byImport: () => Promise<Loaded>,
): Promise<Loaded> {
  const readsTypeScript = ".ts" in require.extensions;
  return readsTypeScript ? (from.require(name) as Loaded) : byImport();
}
