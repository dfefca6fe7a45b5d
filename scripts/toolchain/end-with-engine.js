import process from "node:process";

/**
 * Loaded by Node before anything else (`--import`) in all Node processes of a Pulumi run; acts in the program and its
 * dynamic providers. They end with their engine, also before their first call. When the CLI is killed Pulumi's own code
 * does not end: a provider that was never called waits for ever, and a program that logs an error to the closed pipe logs
 * that failure, and so on, on a whole core. JavaScript, since reading TypeScript would cost each process 0.2 s.
 */
const engine = engineOf(process.argv);
if (engine !== undefined) {
  const { endWithEngine } = await import("../../providers/engine-watch.ts");
  endWithEngine(engine);
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => process.exit(1));
  }
}

/** Address of the engine in the arguments of Pulumi's two Node programs. */
function engineOf([, script = "", ...rest]) {
  if (/@pulumi[\\/]pulumi[\\/]cmd[\\/]dynamic-provider/.test(script)) return rest.at(-1);
  if (/@pulumi[\\/]pulumi[\\/]cmd[\\/]run/.test(script)) return rest[rest.indexOf("--engine") + 1];
  return undefined;
}
