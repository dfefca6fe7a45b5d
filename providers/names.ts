/** Last segment of a resource name: "models/m1" -> "m1". */
export function lastSegment(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/**
 * Whether two resource names mean one thing. Google answers some with the project id and some with its number, so the
 * project segment is not compared: all names here come from one project's own endpoint.
 */
export function sameResource(a: string, b: string): boolean {
  return withoutProject(a) === withoutProject(b);
}

function withoutProject(name: string): string {
  return name.replace(/^projects\/[^/]+\//, "").replace(/@[^/]*$/, "");
}

/** Location of a resource name "projects/P/locations/L/...". */
export function locationOf(name: string): string {
  const match = /\/locations\/([^/]+)/.exec(name);
  if (match?.[1] === undefined) throw new Error(`no location in resource name "${name}"`);
  return match[1];
}
