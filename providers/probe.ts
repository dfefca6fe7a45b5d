import type { PredictionServiceClient } from "@google-cloud/aiplatform/build/src/v1/prediction_service_client.js";

import { Code, codeOf, detailOf, explain } from "./errors.ts";
import { lastSegment } from "./names.ts";

/** How one probe prediction was answered. */
export interface ProbeAnswer {
  /** The deployed model that answered; null for an error: Google's name none. */
  readonly deployedModelId: string | null;
  readonly latencyMs: number;
  /** Why the answer is no good, in words; null for a picture. */
  readonly problem: string | null;
}

/** Sends one prediction to the endpoint, wherever its split leads it. */
export type Probe = () => Promise<ProbeAnswer>;

/** What the product's handler takes. Few steps: a probe measures the server, not the art. */
const INSTANCE = {
  structValue: {
    fields: {
      prompt: { stringValue: "a red circle" },
      num_inference_steps: { numberValue: 4 },
      seed: { numberValue: 1 },
    },
  },
};

/**
 * A probe of an endpoint that waits at most `timeoutMs` for an answer. It throws only when it is the caller that may not
 * predict; whatever the endpoint answers otherwise is an answer.
 */
export function endpointProbe(
  client: PredictionServiceClient,
  endpoint: string,
  timeoutMs: number,
): Probe {
  return async () => {
    const startedAt = performance.now();
    const took = () => performance.now() - startedAt;
    try {
      const [answer] = await client.predict(
        { endpoint, instances: [INSTANCE] },
        {
          timeout: timeoutMs,
          retry: null,
          // A dedicated endpoint is told by it where the host alone does not say (gRPC).
          otherArgs: { headers: { "x-vertex-ai-endpoint-id": lastSegment(endpoint) } },
        },
      );
      const [prediction] = answer.predictions ?? [];
      const problem = isPicture(prediction?.stringValue) ? null : "it answered no picture";
      return { deployedModelId: answer.deployedModelId ?? null, latencyMs: took(), problem };
    } catch (error) {
      const code = codeOf(error);
      if (code === Code.PERMISSION_DENIED || code === Code.UNAUTHENTICATED) {
        throw explain(`send probe predictions to endpoint "${endpoint}"`, error);
      }
      const problem = `it answered an error (${firstLine(detailOf(error))})`;
      return { deployedModelId: null, latencyMs: took(), problem };
    }
  };
}

/** First bytes of PNG, JPEG and WebP files, in base64. */
const SIGNATURES = ["iVBORw0KGgo", "/9j/", "UklGR"];

function isPicture(prediction: unknown): boolean {
  return (
    typeof prediction === "string" &&
    SIGNATURES.some((signature) => prediction.startsWith(signature))
  );
}

/** A container's error is somebody's text: one line of it is enough for a reason. */
function firstLine(text: string): string {
  const line = text.split("\n")[0] ?? "";
  return line.length > 200 ? `${line.slice(0, 200)}...` : line;
}
