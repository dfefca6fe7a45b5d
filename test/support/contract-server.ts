import { join } from "node:path";
import { customServer } from "../../emulator/runtime/custom-server.ts";
import { LIGHT_PYTHON } from "./light-server.ts";

const SERVER = join(import.meta.dirname, "..", "fixtures", "contract-server", "contract_server.py");

/** The image of this project's own container, as a stack names it. */
export const CUSTOM_IMAGE = "us-central1-docker.pkg.dev/local-project/images/vertex-diffusion:1";

/** The runtime of the project's own container with a server in it that draws nothing, see the fixture. */
export const contractServer = customServer({
  python: LIGHT_PYTHON,
  program: { command: [LIGHT_PYTHON, "-I", "-S", SERVER] },
});
