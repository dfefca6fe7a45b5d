/** Apart from the project's own levels: scripts/conformance.ts starts these tests, with a target. */
import base from "../../../jest.config.js";

export default {
  ...base.projects[0],
  displayName: "conformance",
  testMatch: ["<rootDir>/test/conformance/node/**/*.test.ts"],
};
