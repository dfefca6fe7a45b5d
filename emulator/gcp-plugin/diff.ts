import type { PlannedLabels } from "./labels.ts";
import type { InputRule, Properties, ResourceType } from "./resource-type.ts";
import { UNKNOWN, isEmpty, isRecord } from "./resource-type.ts";

export type DiffKind = "add" | "delete" | "update";

/** What an update would change. */
export interface Difference {
  /** Kind of change by property path: "labels.team", "versioning.enabled". */
  readonly paths: ReadonlyMap<string, DiffKind>;
  /** Top-level names of the changed inputs; "labels" when any label that we manage changes. */
  readonly changed: ReadonlySet<string>;
  /** Those that can't be changed in place. */
  readonly replaces: ReadonlySet<string>;
  readonly deleteBeforeReplace: boolean;
}

export interface DiffOptions {
  /** The provider's project, for inputs that fall back to it. */
  readonly project: string | undefined;
  /** Undefined while a label is unknown. */
  readonly labels: PlannedLabels | undefined;
  /** Property paths that the program says to leave alone. */
  readonly ignoreChanges: readonly string[];
}

/**
 * Compares declared inputs with recorded outputs, not with recorded inputs: what was changed by hand and seen by a refresh is
 * a difference as well.
 */
export function diffResource(
  type: ResourceType,
  inputs: Properties,
  recorded: Properties,
  options: DiffOptions,
): Difference {
  const paths = new Map<string, DiffKind>();
  for (const [name, rule] of Object.entries(type.inputs)) {
    const declared = inputs[name] ?? (rule.providerProject ? options.project : undefined);
    for (const [path, kind] of diffInput(name, rule, declared, recorded[name]))
      paths.set(path, kind);
  }
  if (options.labels && !declaresLabelChange(paths)) {
    for (const name of ["pulumiLabels", "effectiveLabels"] as const) {
      const differences = diffValues(name, options.labels[name], recorded[name]);
      for (const [path, kind] of differences) paths.set(path, kind);
      if (differences.length > 0) break;
    }
  }
  for (const path of paths.keys()) if (isIgnored(path, options.ignoreChanges)) paths.delete(path);

  const changed = new Set([...paths.keys()].map(rootOf).map(toInput));
  const replaces = new Set([...changed].filter((name) => type.inputs[name]?.forceNew));
  return {
    paths,
    changed,
    replaces,
    // Two resources can't have one name at a time. The official provider does so too for a name that the program chose.
    deleteBeforeReplace: replaces.size > 0 && !replaces.has("name"),
  };
}

function diffInput(
  name: string,
  rule: InputRule,
  declared: unknown,
  recorded: unknown,
): [string, DiffKind][] {
  if (declared === undefined && rule.computed) return [];
  if (isEmpty(declared) && isEmpty(recorded)) return [];
  if (declared === UNKNOWN || !rule.comparable) return diffValues(name, declared, recorded);
  const comparable = (value: unknown) => (isEmpty(value) ? undefined : rule.comparable?.(value));
  return diffValues(name, comparable(declared), comparable(recorded));
}

/** Differences in order of the declared value, then of the recorded one. Members of a list are compared by position. */
function diffValues(path: string, declared: unknown, recorded: unknown): [string, DiffKind][] {
  if (declared === undefined || declared === null) {
    return recorded === undefined || recorded === null ? [] : [[path, "delete"]];
  }
  if (recorded === undefined || recorded === null) return [[path, "add"]];
  if (Array.isArray(declared) && Array.isArray(recorded)) {
    const indices = Array.from({ length: Math.max(declared.length, recorded.length) }, (_, i) => i);
    return indices.flatMap((i) => diffValues(`${path}[${i}]`, declared[i], recorded[i]));
  }
  if (isRecord(declared) && isRecord(recorded)) {
    const keys = [...new Set([...Object.keys(declared), ...Object.keys(recorded)])];
    return keys.flatMap((key) => diffValues(memberPath(path, key), declared[key], recorded[key]));
  }
  return declared === recorded ? [] : [[path, "update"]];
}

function memberPath(path: string, key: string): string {
  return /^[^.[\]"]+$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

function rootOf(path: string): string {
  return /^[^.[]*/.exec(path)?.[0] ?? path;
}

function toInput(root: string): string {
  return root === "pulumiLabels" || root === "effectiveLabels" ? "labels" : root;
}

function declaresLabelChange(paths: ReadonlyMap<string, DiffKind>): boolean {
  return [...paths.keys()].some((path) => rootOf(path) === "labels");
}

function isIgnored(path: string, ignoreChanges: readonly string[]): boolean {
  return ignoreChanges.some(
    (ignored) =>
      path === ignored || path.startsWith(`${ignored}.`) || path.startsWith(`${ignored}[`),
  );
}
