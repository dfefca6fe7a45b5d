import type { Problem } from "./machine-rules.ts";

/** What was made by hand and is to be taken over, by ids. */
export interface AdoptSetting {
  readonly endpoint: string;
  readonly model: string;
  /** Number of the model version that the endpoint serves. */
  readonly version: string;
}

interface Place {
  readonly project: string;
  readonly region: string;
}

/** The setting `adopt` as it stands in the stack file, as JSON; null when there is none. Ids are taken from resource names. */
export function readAdopt(text: string | undefined, place: Place, problems: Problem[]) {
  const given = parse(text);
  const keys = Object.keys(given);
  if (keys.length === 0) return null;
  const wrong = (reason: string): void => {
    problems.push({ setting: "adopt", reason });
  };
  const unknown = keys.filter((key) => !["endpoint", "model", "version"].includes(key));
  const missing = ["endpoint", "model", "version"].filter((key) => !given[key]);
  if (unknown.length > 0 || missing.length > 0) {
    const what =
      missing.length > 0
        ? `${list(missing)} missing`
        : `${list(unknown)} nothing that can be adopted`;
    wrong(`${what}. Set endpoint, model and version, all three.`);
    return null;
  }
  const idOf = (kind: "endpoint" | "model"): string => {
    const { id, problem } = toId(kind, String(given[kind]), place);
    if (problem !== undefined) wrong(problem);
    return id;
  };
  const version = String(given["version"]);
  if (!/^[1-9]\d*$/.test(version)) {
    wrong(`"${version}" is not a version number. Set the number that the model registry shows.`);
  }
  return { endpoint: idOf("endpoint"), model: idOf("model"), version } satisfies AdoptSetting;
}

function list(keys: readonly string[]): string {
  return `${keys.join(" and ")} ${keys.length === 1 ? "is" : "are"}`;
}

/** Ids of 19 digits, unquoted in YAML, are JSON numbers that JavaScript can't hold: they are read as text. */
function parse(text: string | undefined): Readonly<Record<string, unknown>> {
  if (!text) return {};
  const value: unknown = JSON.parse(text.replace(/(?<=[:,[{]\s*)\d+(?=\s*[,}\]])/g, '"$&"'));
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function toId(kind: "endpoint" | "model", name: string, { project, region }: Place) {
  const parts = /^projects\/([^/]+)\/locations\/([^/]+)\/(endpoints|models)\/([^/]+)$/.exec(name);
  const id = parts?.[4] ?? name;
  const refuse = (why: string) => ({ id, problem: `"${name}" ${why}` });
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(id) || (parts !== null && parts[3] !== `${kind}s`)) {
    return refuse(
      `is no ${kind}. Set its id, or its resource name "projects/${project}/locations/${region}/${kind}s/ID".`,
    );
  }
  // A number names a project too, and which one is not known here.
  if (parts?.[1] !== undefined && parts[1] !== project && !/^\d+$/.test(parts[1])) {
    return refuse(`is in project "${parts[1]}", and this stack in "${project}". Set gcp:project.`);
  }
  if (parts?.[2] !== undefined && parts[2] !== region) {
    return refuse(`is in "${parts[2]}", and this stack in "${region}". Set gcp:region.`);
  }
  return { id, problem: undefined };
}
