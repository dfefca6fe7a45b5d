import fc from "fast-check";
import { drawCalls } from "./property-command.ts";
import * as endpointCalls from "./property-endpoint-calls.ts";
import * as modelCalls from "./property-model-calls.ts";
import { splits } from "./property-splits.ts";

/** See pickId. */
export const index = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.constant(2) },
);
/** One in four calls has the emulator choose the id. */
const chosenIndex = fc.oneof(
  { weight: 3, arbitrary: fc.nat(1) },
  { weight: 1, arbitrary: fc.constant(undefined) },
);
const version = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 4, arbitrary: fc.constantFrom("1", "1", "2", "2", "3") },
  { weight: 2, arbitrary: fc.constantFrom("live", "stable", "default", "-") },
);
const ownVersion = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("1", "2", "live", "stable") },
  { weight: 6, arbitrary: fc.constant("newest") },
  { weight: 1, arbitrary: fc.constantFrom(undefined, "default") },
);
const etag = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 2, arbitrary: fc.constant("present" as const) },
  { weight: 1, arbitrary: fc.constant("stale" as const) },
);
const text = fc.constantFrom("one", "two", "three", "four", "", "x".repeat(129));

/** One in eight has a flaw. */
function flaws<T extends string>(...names: readonly T[]): fc.Arbitrary<{ flaw?: T }> {
  return fc.oneof(
    { weight: 7, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.constantFrom(...names).map((flaw) => ({ flaw })) },
  );
}

function withFlaws<T, F extends object>(params: fc.Arbitrary<T>, flaw: fc.Arbitrary<F>) {
  return fc.tuple(params, flaw).map(([given, flawed]) => ({ ...given, ...flawed }));
}

const uploadParams = (isVersion: boolean) =>
  withFlaws(
    fc.record({
      model: isVersion ? fc.nat(1) : chosenIndex,
      isVersion: fc.constant(isVersion),
      aliases: fc.array(
        fc.oneof(
          { weight: 9, arbitrary: fc.constantFrom("live", "stable", "default") },
          { weight: 1, arbitrary: fc.constant("Not-An-Alias") },
        ),
        { maxLength: 2 },
      ),
      folder: fc.oneof(
        { weight: 8, arbitrary: fc.constant("a") },
        { weight: 2, arbitrary: fc.constantFrom("b", "") },
      ),
    }),
    flaws("bad id", "no name", "no image", "foreign image"),
  );

/** The calls of each method, refused ones among them. */
export const CALLS = {
  uploadModel: drawCalls("uploadModel", uploadParams(false), modelCalls.uploadModel),
  uploadVersion: drawCalls("uploadVersion", uploadParams(true), modelCalls.uploadModel),
  mergeAliases: drawCalls(
    "mergeAliases",
    fc.record({
      model: index,
      version,
      aliases: fc.uniqueArray(
        fc.constantFrom(
          "live",
          "stable",
          "default",
          "-live",
          "-stable",
          "-default",
          "Not-An-Alias",
        ),
        // What "x" and "-x" in one call mean is open.
        { maxLength: 2, selector: (alias) => alias.replace(/^-/, "") },
      ),
    }),
    modelCalls.mergeAliases,
  ),
  updateModel: drawCalls(
    "updateModel",
    fc.record({
      model: index,
      version,
      mask: fc.constantFrom(
        ...([
          "display_name",
          "display_name",
          "versionDescription",
          "versionDescription",
          "name",
          "",
        ] as const),
      ),
      text,
      etag,
    }),
    modelCalls.updateModel,
  ),
  deleteModel: drawCalls(
    "deleteModel",
    fc.record({
      model: index,
      version: fc.oneof(
        { weight: 6, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom("1", "live") },
      ),
    }),
    modelCalls.deleteModel,
  ),
  deleteVersion: drawCalls(
    "deleteVersion",
    fc.record({ model: index, version: ownVersion }),
    modelCalls.deleteModelVersion,
  ),
  createEndpoint: drawCalls(
    "createEndpoint",
    withFlaws(fc.record({ endpoint: chosenIndex }), flaws("bad id", "no name", "with split")),
    endpointCalls.createEndpoint,
  ),
  updateEndpoint: drawCalls(
    "updateEndpoint",
    fc.record({
      endpoint: index,
      mask: fc.constantFrom(
        ...(["displayName", "displayName", "dedicated_endpoint_enabled", ""] as const),
      ),
      text,
      split: splits,
      etag,
    }),
    endpointCalls.updateEndpoint,
  ),
  changeSplit: drawCalls(
    "changeSplit",
    fc.record({
      endpoint: index,
      mask: fc.constant("traffic_split" as const),
      text,
      split: splits,
      etag,
    }),
    endpointCalls.updateEndpoint,
  ),
  deleteEndpoint: drawCalls(
    "deleteEndpoint",
    fc.record({ endpoint: index }),
    endpointCalls.deleteEndpoint,
  ),
  deployModel: drawCalls(
    "deployModel",
    withFlaws(
      fc.record({
        endpoint: index,
        model: index,
        version,
        id: fc.constantFrom("1", "2", "0", undefined),
        split: splits,
        maxReplicas: fc.constantFrom(1, 1, 2),
      }),
      flaws("no resources", "wrong machine", "bad id"),
    ),
    endpointCalls.deployModel,
  ),
  undeployModel: drawCalls(
    "undeployModel",
    fc.record({
      endpoint: index,
      position: fc.constantFrom(0, 0, 1, 1, 2),
      split: splits,
      namesLeaving: fc.boolean(),
    }),
    endpointCalls.undeployModel,
  ),
  mutate: drawCalls(
    "mutate",
    fc.record({
      endpoint: index,
      position: fc.constantFrom(0, 0, 0, 1),
      maxReplicas: fc.constantFrom(1, 2, 3, -1),
      mask: fc.constantFrom(
        "dedicated_resources.max_replica_count",
        "dedicated_resources.max_replica_count",
        "machine_spec",
        "" as const,
      ),
    }),
    endpointCalls.mutateDeployedModel,
  ),
} as const;
