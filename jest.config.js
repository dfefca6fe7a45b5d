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
  // A test ends by what it waits for. This limit only ends one that hangs, on a slow machine whose cores others use too.
  testTimeout: 60_000,
  projects: ["unit", "emulator", "stack", "crash", "soak"].map(level),
};
