import protobuf from "protobufjs";
import { fromProto3JSON, toProto3JSON } from "proto3-json-serializer";
import { ApiError } from "../errors.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** A message in canonical proto JSON: camelCase names, enum names, no default values. */
export type Document = { [key: string]: Json };

const AS_THEY_ARE = new Set([
  "google.protobuf.Value",
  "google.protobuf.Struct",
  "google.protobuf.ListValue",
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
]);
const INTEGER = /^-?[0-9]+$/;

/** Reads a message that came over gRPC. Unknown enum numbers are refused as INVALID_ARGUMENT. */
export function fromMessage(message: protobuf.Message): Document {
  return asDocument(normalize(message.$type, toProto3JSON(message) as Json, ""));
}

/**
 * Reads a message that came as JSON: names in camelCase or snake_case, enums by name or number. What the type does not
 * know is refused as INVALID_ARGUMENT, with Google's words.
 */
export function fromJson(type: protobuf.Type, json: unknown): Document {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      "Invalid JSON payload received. Root must be an object.",
    );
  }
  const document = asDocument(normalize(type, json as Json, ""));
  try {
    fromProto3JSON(type, document);
  } catch (error) {
    throw new ApiError("INVALID_ARGUMENT", `Invalid JSON payload received. ${textOf(error)}`);
  }
  return document;
}

/** Makes the message that answers a call. A document that does not fit its type is a fault of the emulator. */
export function toMessage(type: protobuf.Type, document: Document): protobuf.Message {
  const normalized = normalize(type, withoutForeignFields(type, document), "");
  const message: unknown = fromProto3JSON(type, normalized as Document);
  if (message === null) throw new Error(`No message of type "${type.name}".`);
  return message as protobuf.Message;
}

/** The JSON body that answers a REST call. */
export function toJson(message: protobuf.Message, numericEnums: boolean): Document {
  const json = toProto3JSON(message, { numericEnums }) as Document;
  return withoutEmptyMaps(message.$type, json) as Document;
}

/** The serializer writes maps that are empty; Google's own leaves them out, as every default. */
function withoutEmptyMaps(type: protobuf.Type, value: Json): Json {
  if (!isPlainObject(value) || AS_THEY_ARE.has(nameOf(type))) return value;
  const kept = Object.entries(value).flatMap(([key, entry]) => {
    const field = type.fields[key];
    if (field instanceof protobuf.MapField) {
      return isPlainObject(entry) && Object.keys(entry).length === 0 ? [] : [[key, entry]];
    }
    const inner = field?.resolvedType;
    if (!(inner instanceof protobuf.Type)) return [[key, entry]];
    const cleaned = Array.isArray(entry)
      ? entry.map((one) => withoutEmptyMaps(inner, one))
      : withoutEmptyMaps(inner, entry);
    return [[key, cleaned]];
  });
  return Object.fromEntries(kept) as Document;
}

/** Fields that only the other API version has are left out: one document serves both. */
function withoutForeignFields(type: protobuf.Type, value: Json): Json {
  if (!isPlainObject(value) || AS_THEY_ARE.has(nameOf(type))) return value;
  const kept: Document = {};
  for (const [key, entry] of Object.entries(value)) {
    const field = type.fields[key];
    if (field === undefined) {
      if (key === "@type" || !isKnownToOtherVersion(type, key)) kept[key] = entry;
    } else if (
      field.resolvedType instanceof protobuf.Type &&
      !(field instanceof protobuf.MapField)
    ) {
      const inner = field.resolvedType;
      kept[key] = Array.isArray(entry)
        ? entry.map((one) => withoutForeignFields(inner, one))
        : withoutForeignFields(inner, entry);
    } else {
      kept[key] = entry;
    }
  }
  return kept;
}

function isKnownToOtherVersion(type: protobuf.Type, key: string): boolean {
  const name = nameOf(type);
  const sibling = name.includes(".v1beta1.")
    ? name.replace(".v1beta1.", ".v1.")
    : name.replace(".v1.", ".v1beta1.");
  const other = type.root.lookup(sibling);
  return other instanceof protobuf.Type && key in other.fields;
}

function normalize(type: protobuf.Type, json: Json, path: string): Json {
  const name = nameOf(type);
  if (AS_THEY_ARE.has(name)) return json;
  if (name === "google.protobuf.FieldMask") return toFieldMask(json, path);
  if (!isPlainObject(json)) {
    // The wrapper types stand as bare values; the serializer checks them.
    if (name.startsWith("google.protobuf.")) return json;
    throw invalid(path, `expected an object of type ${type.name}`);
  }
  if (name === "google.protobuf.Any") return normalizeAny(type, json, path);
  const result: Document = {};
  for (const [key, value] of Object.entries(json)) {
    const field = type.fields[key] ?? type.fields[toCamelCase(key)];
    if (field === undefined) {
      throw new ApiError(
        "INVALID_ARGUMENT",
        `Invalid JSON payload received. Unknown name "${key}"${path === "" ? "" : ` at '${path}'`}: Cannot find field.`,
      );
    }
    const normalized = normalizeField(
      field,
      value,
      path === "" ? field.name : `${path}.${field.name}`,
    );
    if (normalized !== undefined) result[field.name] = normalized;
  }
  return result;
}

function normalizeAny(type: protobuf.Type, json: Document, path: string): Json {
  const url = json["@type"];
  if (typeof url !== "string") throw invalid(path, 'an Any needs "@type"');
  const { "@type": _url, ...rest } = json;
  const inner = type.root.lookupType(url.replace(/^.*\//, ""));
  return { "@type": url, ...asDocument(normalize(inner, rest, path)) };
}

/** undefined = leave the field out: null, or the default of a field without presence. */
function normalizeField(field: protobuf.Field, value: Json, path: string): Json | undefined {
  if (value === null) return nameOfFieldType(field) === "google.protobuf.Value" ? null : undefined;
  if (field instanceof protobuf.MapField) {
    if (!isPlainObject(value)) throw invalid(path, "expected an object");
    const entries = Object.entries(value).map(
      ([key, entry]) => [key, normalizeValue(field, entry, `${path}.${key}`)] as const,
    );
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }
  if (field.repeated) {
    if (!Array.isArray(value)) throw invalid(path, "expected a list");
    return value.length === 0
      ? undefined
      : value.map((entry, index) => normalizeValue(field, entry, `${path}[${index}]`));
  }
  const normalized = normalizeValue(field, value, path);
  return isUnset(field, normalized) ? undefined : normalized;
}

function normalizeValue(field: protobuf.Field, value: Json, path: string): Json {
  if (field.resolvedType instanceof protobuf.Type)
    return normalize(field.resolvedType, value, path);
  if (field.resolvedType instanceof protobuf.Enum)
    return toEnumName(field.resolvedType, value, path);
  if (/^(u?int|s?fixed|sint)32$/.test(field.type)) {
    if (!INTEGER.test(String(value)))
      throw invalid(path, `expected a whole number, got ${JSON.stringify(value)}`);
    return Number(value);
  }
  if (field.type.endsWith("64") && !INTEGER.test(String(value))) {
    throw invalid(path, `expected a whole number, got ${JSON.stringify(value)}`);
  }
  return value;
}

function toEnumName(type: protobuf.Enum, value: Json, path: string): string {
  const name = typeof value === "number" ? type.valuesById[value] : value;
  if (typeof name === "string" && name in type.values) return name;
  throw new ApiError(
    "INVALID_ARGUMENT",
    `Invalid value at '${path}' (type.googleapis.com/${nameOf(type)}), ${JSON.stringify(value)}`,
  );
}

/** Masks come as "a,b", in either spelling, or as {"paths": [...]}; the canonical form is camelCase joined by commas. */
function toFieldMask(json: Json, path: string): string {
  const paths = isPlainObject(json)
    ? json["paths"]
    : typeof json === "string"
      ? json.split(",")
      : null;
  if (!Array.isArray(paths)) throw invalid(path, "expected a field mask");
  return paths
    .map((one) => String(one).trim())
    .filter((one) => one !== "")
    .map(toCamelCase)
    .join(",");
}

function isUnset(field: protobuf.Field, value: Json): boolean {
  if (field.partOf !== null || field.resolvedType instanceof protobuf.Type) return false;
  if (field.resolvedType instanceof protobuf.Enum) {
    return typeof value === "string" && field.resolvedType.values[value] === 0;
  }
  if (field.type === "string" || field.type === "bytes") return value === "";
  return value === 0 || value === "0" || value === false;
}

export function toCamelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

function nameOf(type: protobuf.ReflectionObject): string {
  return type.fullName.replace(/^\./, "");
}

function nameOfFieldType(field: protobuf.Field): string {
  return field.resolvedType === null ? field.type : nameOf(field.resolvedType);
}

function isPlainObject(value: Json): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asDocument(value: Json): Document {
  if (!isPlainObject(value)) throw new ApiError("INVALID_ARGUMENT", "Expected an object.");
  return value;
}

function invalid(path: string, problem: string): ApiError {
  return new ApiError("INVALID_ARGUMENT", `Invalid value at '${path}': ${problem}.`);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
