/** One Jest project per level of the test pyramid (CONTRIBUTING.md). TypeScript is only stripped: types are `npm run check`'s. */
const level = (name) => ({
  displayName: name,
  rootDir: import.meta.dirname,
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  testEnvironment: "node",
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2024", parser: { syntax: "typescript" } }, module: { type: "es6" } },
    ],
  },
});

export default {
  projects: ["unit", "emulator", "stack", "crash"].map(level),
};
