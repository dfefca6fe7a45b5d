import structPb from "google-protobuf/google/protobuf/struct_pb.js";
import { isRecord } from "./resource-type.ts";

type Struct = structPb.Struct;

/** Marks an object on the wire as a special value; the member "value" of a secret holds the plain one. */
const SIGNATURE_KEY = "4dabf18193072939515e22adb298388d";
const SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270";

/** Plain properties of a message; secrets are unwrapped, since the plugin says that it accepts none. */
export function fromStruct(struct: Struct | undefined): Record<string, unknown> {
  const properties = unwrapSecrets(struct?.toJavaScript() ?? {});
  return isRecord(properties) ? properties : {};
}

/** A message of these properties. Members that are undefined are left out: Struct refuses them. */
export function toStruct(properties: Readonly<Record<string, unknown>>): Struct {
  const plain = JSON.parse(JSON.stringify(properties)) as Record<string, structPb.JavaScriptValue>;
  return structPb.Struct.fromJavaScript(plain);
}

function unwrapSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapSecrets);
  if (!isRecord(value)) return value;
  if (value[SIGNATURE_KEY] === SECRET_SIGNATURE) return unwrapSecrets(value.value);
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, unwrapSecrets(member)]),
  );
}
