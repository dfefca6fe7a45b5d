import type { Difference } from "./diff.ts";
import { diffResource } from "./diff.ts";
import { GoogleError, undefinedIfNotFound } from "./google-rest.ts";
import type { GoogleRest } from "./google-rest.ts";
import { planLabels, readLabels } from "./labels.ts";
import type { ProviderConfig } from "./provider-config.ts";
import type { CheckFailure, Properties, ResourceType } from "./resource-type.ts";
import { UNKNOWN, hasUnknown, isEmpty } from "./resource-type.ts";

/** A configured provider: what every resource operation needs besides the resource. */
export interface Provider {
  readonly config: ProviderConfig;
  readonly rest: GoogleRest;
}

/** Inputs with defaults filled in, and every problem that they have. */
export function checkInputs(
  type: ResourceType,
  provider: Provider,
  declared: Properties,
): { inputs: Properties; failures: CheckFailure[] } {
  const inputs: Record<string, unknown> = {};
  const failures: CheckFailure[] = [];
  for (const [name, value] of Object.entries(declared)) {
    if (name.startsWith("__") || value === undefined || value === null) continue;
    inputs[name] = value;
    if (name in type.inputs) continue;
    const reason = `the local gcp plugin does not serve ${name} of ${type.token}. Install the official plugin to use it.`;
    failures.push({ property: name, reason });
  }
  for (const [name, rule] of Object.entries(type.inputs)) {
    if (inputs[name] !== undefined) continue;
    if (rule.default !== undefined) inputs[name] = rule.default;
    if (rule.required) failures.push({ property: name, reason: missingReason(type, name) });
  }
  if (inputs.project === undefined && provider.config.project === undefined) {
    failures.push({ property: "project", reason: 'no project is set. Set "gcp:project".' });
  }
  return { inputs, failures: [...failures, ...(type.check?.(inputs) ?? [])] };
}

export function diff(
  type: ResourceType,
  provider: Provider,
  inputs: Properties,
  recorded: Properties,
  ignoreChanges: readonly string[],
): Difference {
  return diffResource(type, inputs, recorded, {
    project: provider.config.project,
    labels: planLabels(provider.config, inputs, recorded),
    ignoreChanges,
  });
}

/** Outputs that a preview shows; what only Google can say is unknown, or as recorded for an update. */
export function planOutputs(
  type: ResourceType,
  provider: Provider,
  inputs: Properties,
  recorded?: Properties,
): Properties {
  const labels = planLabels(provider.config, inputs, recorded);
  const computed = Object.entries(type.inputs).flatMap(([name, rule]) =>
    rule.computed ? [name] : [],
  );
  const fromGoogle = [...type.outputsOnly, ...computed].map((name): [string, unknown] => [
    name,
    recorded ? recorded[name] : UNKNOWN,
  ]);
  return {
    ...Object.fromEntries(fromGoogle),
    ...localOutputs(provider, inputs),
    ...inputs,
    pulumiLabels: labels?.pulumiLabels ?? UNKNOWN,
    effectiveLabels: labels?.effectiveLabels ?? UNKNOWN,
  };
}

export async function create(
  type: ResourceType,
  provider: Provider,
  declared: Properties,
): Promise<{ id: string; outputs: Properties }> {
  const inputs = withProject(provider, declared);
  const id = type.id(inputs);
  return await naming(`Could not create ${type.noun} "${id}"`, async () => {
    const labels = knownLabels(provider, inputs);
    const document = await type.create(provider.rest, inputs, labels.effectiveLabels);
    return { id, outputs: toOutputs(type, provider, declared, document, { ...inputs, ...labels }) };
  });
}

/** What Google has now; undefined when it is gone. `recorded` is empty for an import, and then every input is read. */
export async function read(
  type: ResourceType,
  provider: Provider,
  id: string,
  recorded: Properties,
  recordedInputs: Properties,
): Promise<{ id: string; outputs: Properties; inputs: Properties } | undefined> {
  const named = recorded.name === undefined ? type.fromId(id, provider.config.project) : undefined;
  if (recorded.name === undefined && !named) {
    throw new Error(
      `Could not import ${type.noun} "${id}": ${type.token} has no id of this form. Write it as its documentation says.`,
    );
  }
  const local = { ...named, ...recorded };
  const inputs = withProject(provider, local);
  return await naming(`Could not read ${type.noun} "${id}"`, async () => {
    const document = await type.get(provider.rest, inputs).catch(undefinedIfNotFound);
    if (!document) return undefined;
    const outputs = toOutputs(type, provider, local, document, recorded);
    return {
      id: type.id(inputs),
      outputs,
      inputs: toInputs(type, outputs, isEmpty(recordedInputs) ? undefined : recordedInputs),
    };
  });
}

export async function update(
  type: ResourceType,
  provider: Provider,
  id: string,
  declared: Properties,
  recorded: Properties,
  ignoreChanges: readonly string[],
): Promise<Properties> {
  const inputs = withProject(provider, {
    ...declared,
    project: declared.project ?? recorded.project,
  });
  const { changed } = diff(type, provider, declared, recorded, ignoreChanges);
  return await naming(`Could not update ${type.noun} "${id}"`, async () => {
    const labels = knownLabels(provider, inputs, recorded);
    const document = await type.update(provider.rest, inputs, changed, {
      before: readLabels(recorded.effectiveLabels, {}).effectiveLabels,
      after: labels.effectiveLabels,
    });
    return toOutputs(type, provider, declared, document, { ...inputs, ...labels });
  });
}

export async function remove(
  type: ResourceType,
  provider: Provider,
  id: string,
  recorded: Properties,
): Promise<void> {
  if (recorded.deletionPolicy === "ABANDON") return;
  if (recorded.deletionPolicy === "PREVENT") {
    throw new Error(
      `Could not delete ${type.noun} "${id}": its deletionPolicy is "PREVENT". Set it to "DELETE" and run up first.`,
    );
  }
  await naming(`Could not delete ${type.noun} "${id}"`, () =>
    type.delete(provider.rest, withProject(provider, recorded)),
  );
}

/** All outputs: what only this provider knows (declared inputs that Google doesn't store), then Google's, then labels. */
function toOutputs(
  type: ResourceType,
  provider: Provider,
  local: Properties,
  document: Record<string, unknown>,
  recorded: Properties,
): Properties {
  return {
    ...localOutputs(provider, local),
    ...type.toOutputs(document),
    ...readLabels(document.labels, recorded),
  };
}

/** Outputs that are settings of the provider and of no resource: Google's documents don't state them. */
function localOutputs(provider: Provider, inputs: Properties): Properties {
  const { name, location, region, forceDestroy } = inputs;
  return {
    name,
    location,
    ...(region !== undefined && { region }),
    ...(forceDestroy !== undefined && { forceDestroy }),
    project: inputs.project ?? provider.config.project,
    deletionPolicy: inputs.deletionPolicy ?? "DELETE",
  };
}

/**
 * Inputs as Google has them: those recorded, with today's values, and those that appeared by hand and that leaving out would
 * remove. A value that is the same when compared keeps the way it was written. For an import all that are set.
 */
function toInputs(
  type: ResourceType,
  outputs: Properties,
  recordedInputs: Properties | undefined,
): Properties {
  const inputs: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(type.inputs)) {
    const recorded = recordedInputs?.[name];
    const actual = outputs[name];
    const known = recordedInputs === undefined ? !isEmpty(actual) : recorded !== undefined;
    if (!known && (rule.computed || rule.providerProject || name === "deletionPolicy")) continue;
    if (!known && isEmpty(actual)) continue;
    const comparable = rule.comparable ?? ((value: unknown) => value);
    const same =
      recorded !== undefined &&
      JSON.stringify(comparable(recorded)) === JSON.stringify(comparable(actual));
    const value = same ? recorded : actual;
    if (value !== undefined) inputs[name] = value;
  }
  return inputs;
}

function withProject(provider: Provider, inputs: Properties): Properties {
  return { ...inputs, project: inputs.project ?? provider.config.project };
}

function knownLabels(provider: Provider, inputs: Properties, recorded?: Properties) {
  const labels = planLabels(provider.config, inputs, recorded);
  if (!labels || hasUnknown(inputs)) throw new Error("an input is still unknown.");
  return labels;
}

function missingReason(type: ResourceType, name: string): string {
  return name === "name"
    ? `the local gcp plugin makes up no names. Set name of this ${type.noun}.`
    : `${name} is required. Set ${name} of this ${type.noun}.`;
}

/** Runs the work; what it throws says first what could not be done. */
async function naming<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const status = error instanceof GoogleError ? ` (HTTP ${error.status})` : "";
    throw new Error(`${what}: ${reason}${status}`, { cause: error });
  }
}
