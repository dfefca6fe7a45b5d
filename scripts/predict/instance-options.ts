import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../toolchain/user-error.ts";

/** One instance of a prediction, in the handler's own field names. Left out means the model's default. */
export interface Instance {
  readonly prompt: string;
  readonly [field: string]: string | number;
}

/** What request.schema.json says of one field. */
interface FieldRules {
  readonly description: string;
  readonly type: string | readonly string[];
  readonly enum?: readonly (string | null)[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly multipleOf?: number;
}

/** Fields of an instance, by name. */
export type RequestFields = Readonly<Record<string, FieldRules>>;

interface Flag {
  readonly field: string;
  /** What stands for its value in the help; a switch has none. */
  readonly value?: string;
  /** What a switch sets its field to. */
  readonly sets?: string;
  readonly isFile?: boolean;
}

/** The options that set a field of the instance. Bounds, choices and help come from the schema. */
export const FLAGS: Readonly<Record<string, Flag>> = {
  "negative-prompt": { field: "negative_prompt", value: "P" },
  steps: { field: "num_inference_steps", value: "N" },
  guidance: { field: "guidance_scale", value: "G" },
  seed: { field: "seed", value: "N" },
  width: { field: "width", value: "W" },
  height: { field: "height", value: "H" },
  "num-images": { field: "num_images", value: "N" },
  scheduler: { field: "scheduler", value: "S" },
  "init-image": { field: "init_image", value: "FILE", isFile: true },
  strength: { field: "strength", value: "X" },
  format: { field: "image_format", value: "F" },
  quality: { field: "quality", value: "N" },
  full: { field: "output", sets: "full" },
};

/** The committed JSON Schema of an instance. */
export function schemaPath(root: string): string {
  return join(root, "handler", "request.schema.json");
}

/** Reads the fields from the handler's schema, which its code generates. */
export function readRequestFields(root: string): RequestFields {
  const path = schemaPath(root);
  const schema = JSON.parse(readFileSync(path, "utf8")) as {
    anyOf: readonly { properties?: RequestFields }[];
  };
  const fields = schema.anyOf.find(({ properties }) => properties !== undefined)?.properties;
  if (fields === undefined) throw new Error(`"${path}" describes no fields.`);
  return fields;
}

/** The options of FLAGS as node:util's parseArgs takes them. */
export function parseArgsOptions(): Record<string, { type: "string" | "boolean" }> {
  return Object.fromEntries(
    Object.entries(FLAGS).map(([name, { sets }]) => [
      name,
      { type: sets === undefined ? ("string" as const) : ("boolean" as const) },
    ]),
  );
}

/** The help's lines for FLAGS, in the schema's words. */
export function describeFlags(fields: RequestFields): string {
  return Object.entries(FLAGS)
    .map(([name, { field, value, sets }]) => {
      const rules = rulesOf(fields, field);
      const option = `--${name}${value === undefined ? "" : ` ${value}`}`;
      const what =
        sets === undefined ? rules.description : `Sets ${field} to "${sets}". ${rules.description}`;
      const allowed = [rules.enum?.filter((each) => each !== null).join(", "), rangeOf(rules)];
      const bounds = sets === undefined ? allowed.filter(Boolean).join("") : "";
      return `  ${option.padEnd(20)}  ${what}${bounds === "" ? "" : ` (${bounds})`}`;
    })
    .join("\n");
}

/** Makes the instance that the options describe. Throws UserError for what the schema does not take. */
export function toInstance(
  prompt: string,
  values: Readonly<Record<string, string | boolean | undefined>>,
  fields: RequestFields,
): Instance {
  const given = Object.entries(FLAGS).flatMap(([name, flag]) => {
    const value = values[name];
    if (value === undefined || value === false) return [];
    return [[flag.field, flag.sets ?? readValue(name, flag, String(value), fields)] as const];
  });
  return { prompt, ...Object.fromEntries(given) };
}

function readValue(name: string, flag: Flag, text: string, fields: RequestFields): string | number {
  if (flag.isFile === true) return readPicture(name, text);
  const rules = rulesOf(fields, flag.field);
  if (rules.enum !== undefined && !rules.enum.includes(text)) {
    const choices = rules.enum.filter((each) => each !== null).join(", ");
    throw new UserError(`--${name} must be one of ${choices}, got "${text}".`);
  }
  return isNumeric(rules) ? readNumber(name, text, rules) : text;
}

function readNumber(name: string, text: string, rules: FieldRules): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  const { minimum = -Infinity, maximum = Infinity, multipleOf } = rules;
  const isWhole = typesOf(rules).includes("integer");
  const isTaken =
    value >= minimum &&
    value <= maximum &&
    (!isWhole || Number.isInteger(value)) &&
    (multipleOf === undefined || value % multipleOf === 0);
  if (!isTaken) {
    throw new UserError(
      `--${name} must be a ${isWhole ? "whole " : ""}number, ${rangeOf(rules)}, got "${text}".`,
    );
  }
  return value;
}

function readPicture(name: string, path: string): string {
  try {
    return readFileSync(path).toString("base64");
  } catch (error) {
    throw new UserError(`Could not read --${name} "${path}": ${(error as Error).message}.`);
  }
}

function rangeOf({ minimum, maximum, multipleOf }: FieldRules): string {
  if (minimum === undefined || maximum === undefined) return "";
  const multiple = multipleOf === undefined ? "" : `, a multiple of ${multipleOf}`;
  return `${minimum} to ${maximum}${multiple}`;
}

function isNumeric(rules: FieldRules): boolean {
  return typesOf(rules).some((type) => type === "integer" || type === "number");
}

function typesOf({ type }: FieldRules): readonly string[] {
  return typeof type === "string" ? [type] : type;
}

function rulesOf(fields: RequestFields, name: string): FieldRules {
  const rules = fields[name];
  if (rules === undefined) throw new Error(`The handler's schema has no field "${name}".`);
  return rules;
}
