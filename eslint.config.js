import js from "@eslint/js";
import tseslint from "typescript-eslint";

/** Imports go one way (ARCHITECTURE.md): index -> components -> providers; scripts -> providers, emulator. */
function forbidImports(files, groups, message) {
  return {
    files,
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          patterns: [{ group: groups, message, allowTypeImports: files.includes("components/**") }],
        },
      ],
    },
  };
}

export default tseslint.config(
  { ignores: ["node_modules/", ".local/", "coverage/"] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ["**/*.ts"],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_" },
      ],
      "@typescript-eslint/no-explicit-any": "error",
      eqeqeq: "error",
    },
  },
  {
    // A dynamic provider's methods load their work at call time: `return require("...")` is the design.
    files: ["components/**"],
    rules: { "@typescript-eslint/no-require-imports": "off" },
  },
  forbidImports(
    ["components/**", "index.ts"],
    ["**/providers/**", "@vertex-diffusion/providers/*"],
    "Components take only types from providers; shells load the code at call time.",
  ),
  forbidImports(
    ["providers/**"],
    ["**/components/**", "**/emulator/**", "**/scripts/**"],
    "Providers know no component, emulator or script.",
  ),
  forbidImports(
    ["emulator/**"],
    ["**/components/**", "**/providers/**", "@vertex-diffusion/*", "**/scripts/**"],
    "The emulator imports nothing of the product.",
  ),
);
