import * as fs from "node:fs";
import pulumi from "@pulumi/eslint-plugin";
import { importX } from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

/** The rooms of the house, lowest first: a room imports only from rooms below it. */
const rooms = [
  "infra/contracts",
  "infra/settings",
  "infra/host",
  "infra/stack",
  "infra/services.ts",
  "infra/toolchain",
  "infra/stores",
  "infra/targets",
  "results",
  "pipelines",
  "report",
  "cli",
];

/** Rooms whose folders are parts that know nothing of each other. */
const registries = ["infra/targets", "infra/stores"];

const zones = [
  ...rooms.flatMap((room, at) =>
    rooms.slice(at + 1).map((from) => ({
      target: `./${room}`,
      from: `./${from}`,
      message: `${room} is below ${from}.`,
    })),
  ),
  ...registries.flatMap((room) => {
    const names = fs.readdirSync(room).filter((name) => name !== "index.ts");
    const shared = names.filter((name) => name.endsWith(".ts"));
    const parts = names.filter((name) => !shared.includes(name));
    return parts.map((part) => ({
      target: `./${room}/${part}`,
      from: `./${room}`,
      except: [part, ...shared].map((name) => `./${name}`),
      message: `${room}/${part} imports no other part, and not the registry.`,
    }));
  }),
];

const ofProcess = 'MemberExpression[object.name="process"][property.name="env"]';
const starts = "/^(spawn|spawnSync|execFile|execFileSync|execSync|fork)$/";

/** Children get an environment from infra/host/environment.ts, and never all of this process's. */
const wholeEnvironments = [
  `CallExpression:matches([callee.name=${starts}], [callee.property.name=${starts}]):not(:has(Property[key.name="env"]))`,
  `:matches(SpreadElement, AssignmentPattern, Property[key.name="env"]) > ${ofProcess}`,
  `VariableDeclarator:has(> ObjectPattern > RestElement) > ${ofProcess}`,
].map((selector) => ({
  selector,
  message: "A child gets an environment from infra/host/environment.ts, not all of this process's.",
}));

/** Commands and steps read TypeScript by `require` alone: infra/host/typeScript.cjs. */
const unread = {
  selector:
    'ImportExpression[source.value=/^[.]/]:not(CallExpression[callee.name="load"] ImportExpression)',
  message: "Load it by `load` of infra/contracts/target.ts.",
};

/** Comparisons with the name of a target or store. */
const namedParts = [
  "BinaryExpression[operator=/^[!=]==?$/]:has(> Literal) Identifier[name=/^(target|objectStore)$/]",
  "SwitchStatement > Identifier.discriminant[name=/^(target|objectStore)$/]",
  "SwitchStatement > .discriminant Identifier[name=/^(target|objectStore)$/]",
].map((selector) => ({
  selector,
  message: "Ask the object of the registry: infra/targets/index.ts, infra/stores/index.ts.",
}));

export default tseslint.config(
  { ignores: ["node_modules/", "tests/unit/embedded/fixtures/"] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { "@pulumi": pulumi },
    rules: {
      "@pulumi/no-output-in-template-literal": "error",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_" },
      ],
      "@typescript-eslint/restrict-template-expressions": "off",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    files: ["index.ts", "cli/*.mjs", "infra/host/environment.ts"],
    rules: { "no-restricted-syntax": ["error", ...namedParts] },
  },
  {
    plugins: { "import-x": importX },
    settings: {
      "import-x/resolver-next": [
        importX.createNodeResolver({ extensions: [".ts", ".mts", ".mjs", ".js"] }),
      ],
    },
    rules: { "import-x/no-restricted-paths": ["error", { zones }] },
  },
  {
    files: ["{infra,pipelines,results,report,cli}/**/*.ts"],
    ignores: ["infra/host/environment.ts"],
    rules: { "no-restricted-syntax": ["error", ...namedParts, ...wholeEnvironments, unread] },
  },
  {
    files: ["embedded/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [{ regex: "^\\.\\./", message: "embedded/ imports nothing of this project." }],
        },
      ],
    },
  },
  {
    files: ["**/*.cjs", "**/*.mjs", "**/*.mts"],
    ...tseslint.configs.disableTypeChecked,
    rules: {
      ...tseslint.configs.disableTypeChecked.rules,
      "@pulumi/no-output-in-template-literal": "off",
      "@typescript-eslint/no-floating-promises": "off",
      "@typescript-eslint/no-require-imports": "off",
    },
  },
);
