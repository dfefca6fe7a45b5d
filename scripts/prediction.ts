import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, parse as parsePath } from "node:path";
import { GoogleAuth } from "google-auth-library";
import type { Instance } from "./predict/instance-options.ts";
import { UserError } from "./toolchain/user-error.ts";

/** Longest wait for one answer: a dedicated endpoint's own default. */
const PREDICT_TIMEOUT_MS = 600_000;

interface PredictResponse {
  readonly predictions?: readonly unknown[];
  readonly error?: { readonly message?: string; readonly status?: string };
}

/** What one instance was answered with. */
export interface Prediction {
  readonly pictures: readonly Buffer[];
  /** Seeds, timings and the like, of output "full". */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Sends one instance to `...:predict` and returns its picture, the first of several. */
export async function predict(predictUrl: string, instance: Instance): Promise<Buffer> {
  const [picture] = (await predictAll(predictUrl, instance)).pictures;
  if (picture === undefined) throw new UserError("The endpoint answered no picture.");
  return picture;
}

/** Sends one instance to `...:predict` and returns whatever it was answered with. */
export async function predictAll(predictUrl: string, instance: Instance): Promise<Prediction> {
  const response = await post(predictUrl, { instances: [instance] });
  const text = await response.text();
  const body = parse(text);
  if (!response.ok || body === undefined) {
    const why = body?.error?.message ?? text.slice(0, 300);
    throw new UserError(`The endpoint answered ${response.status}: ${why}`);
  }
  return readPrediction(body.predictions?.[0]);
}

function readPrediction(prediction: unknown): Prediction {
  if (typeof prediction === "string") return { pictures: [toPicture(prediction)] };
  if (Array.isArray(prediction)) return { pictures: prediction.map(toPicture) };
  const { images, ...details } = Object(prediction) as { images?: unknown };
  if (Array.isArray(images)) return { pictures: images.map(toPicture), details };
  throw new UserError(
    `The endpoint refused the request: ${refusalOf(prediction) ?? "it answered no picture"}.`,
  );
}

function toPicture(text: unknown): Buffer {
  return Buffer.from(String(text), "base64");
}

async function post(predictUrl: string, body: object): Promise<Response> {
  try {
    return await fetch(predictUrl, {
      method: "POST",
      headers: { "content-type": "application/json", ...(await authorization(predictUrl)) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(PREDICT_TIMEOUT_MS),
    });
  } catch (error) {
    if (error instanceof UserError) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new UserError(
      `Could not reach "${predictUrl}": ${cause instanceof Error ? cause.message : String(cause)}. On a local stack, run "npm run local" first.`,
    );
  }
}

/** Application default credentials, for Google's hosts only. */
async function authorization(predictUrl: string): Promise<Record<string, string>> {
  if (predictUrl.startsWith("http://")) return {};
  const given = process.env["GOOGLE_OAUTH_ACCESS_TOKEN"];
  if (given !== undefined && given !== "") return { authorization: `Bearer ${given}` };
  const auth = new GoogleAuth({ scopes: "https://www.googleapis.com/auth/cloud-platform" });
  const token = await auth.getAccessToken().catch(() => undefined);
  if (typeof token !== "string") {
    throw new UserError(
      `Could not find Google credentials. Run "gcloud auth application-default login", then try again.`,
    );
  }
  return { authorization: `Bearer ${token}` };
}

function parse(text: string): PredictResponse | undefined {
  try {
    return JSON.parse(text) as PredictResponse;
  } catch {
    return undefined;
  }
}

function refusalOf(prediction: unknown): string | undefined {
  if (typeof prediction !== "object" || prediction === null) return undefined;
  const { error } = prediction as { error?: { message?: string; field?: string } };
  return error?.message;
}

/** Writes the picture, with its folders. */
export async function savePicture(path: string, picture: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, picture);
}

/** File name for a prompt: lower case letters, digits and hyphens. */
export function fileNameFor(prompt: string, format = "png"): string {
  const slug = prompt
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
  return `${slug === "" ? "picture" : slug}.${format}`;
}

/** Where each of `count` pictures goes: the path itself for one, else `name-1.png`, `name-2.png`. */
export function pathsFor(path: string, count: number): string[] {
  if (count === 1) return [path];
  const { dir, name, ext } = parsePath(path);
  return Array.from({ length: count }, (_, index) => join(dir, `${name}-${index + 1}${ext}`));
}
