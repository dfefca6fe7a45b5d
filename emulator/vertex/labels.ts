import { ApiError } from "../errors.ts";

const MOST_LABELS = 64;
const LONGEST = 64;
/** Letters of any script but no capitals, digits, "_" and "-": the reference of Model.labels and Endpoint.labels. */
const ALLOWED = /^[\p{Ll}\p{Lo}\p{Lm}\p{M}\p{N}_-]*$/u;

/** User labels of a resource. Throws INVALID_ARGUMENT. */
export function checkLabels(labels: Readonly<Record<string, string>> | undefined): void {
  const entries = Object.entries(labels ?? {});
  if (entries.length > MOST_LABELS) {
    throw refuse(`${entries.length} labels were given, at most ${MOST_LABELS} are allowed`);
  }
  for (const [key, value] of entries) {
    if (key === "" || !isValid(key)) throw refuse(`the label key "${key}" is not valid`);
    if (!isValid(value)) throw refuse(`the value "${value}" of label "${key}" is not valid`);
  }
}

function isValid(text: string): boolean {
  return [...text].length <= LONGEST && ALLOWED.test(text);
}

function refuse(problem: string): ApiError {
  return new ApiError(
    "INVALID_ARGUMENT",
    `Labels: ${problem}. Keys and values have at most ${LONGEST} lowercase letters, digits, "_" and "-".`,
  );
}
