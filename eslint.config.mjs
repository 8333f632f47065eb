import pulumi from "@pulumi/eslint-plugin";
import tseslint from "typescript-eslint";

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
  // A target is one folder that another can be put beside: what two of them need is one level up.
  {
    files: ["infra/local/**", "infra/docker/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ regex: "/(local|docker)/", message: "A target imports no other." }] },
      ],
    },
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
    files: ["**/*.mjs", "**/*.mts"],
    ...tseslint.configs.disableTypeChecked,
    rules: {
      ...tseslint.configs.disableTypeChecked.rules,
      "@pulumi/no-output-in-template-literal": "off",
      "@typescript-eslint/no-floating-promises": "off",
    },
  },
);
