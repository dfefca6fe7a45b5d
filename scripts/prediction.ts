import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { GoogleAuth } from "google-auth-library";
import { UserError } from "./toolchain/user-error.ts";

/** One picture to ask for, in the handler's own field names. Left out means the model's default. */
export interface Instance {
  readonly prompt: string;
  readonly negative_prompt?: string;
  readonly num_inference_steps?: number;
  readonly guidance_scale?: number;
  readonly seed?: number;
  readonly width?: number;
  readonly height?: number;
}

/** Longest wait for one answer: a dedicated endpoint's own default. */
const PREDICT_TIMEOUT_MS = 600_000;

interface PredictResponse {
  readonly predictions?: readonly unknown[];
  readonly error?: { readonly message?: string; readonly status?: string };
}

/** Sends one instance to `...:predict` and returns the picture's bytes. */
export async function predict(predictUrl: string, instance: Instance): Promise<Buffer> {
  const response = await post(predictUrl, { instances: [instance] });
  const text = await response.text();
  const body = parse(text);
  if (!response.ok || body === undefined) {
    const why = body?.error?.message ?? text.slice(0, 300);
    throw new UserError(`The endpoint answered ${response.status}: ${why}`);
  }
  const [prediction] = body.predictions ?? [];
  if (typeof prediction !== "string") {
    throw new UserError(
      `The endpoint refused the request: ${refusalOf(prediction) ?? "it answered no picture"}.`,
    );
  }
  return Buffer.from(prediction, "base64");
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
export function fileNameFor(prompt: string): string {
  const slug = prompt
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
  return `${slug === "" ? "picture" : slug}.png`;
}
