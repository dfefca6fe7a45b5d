/** One deployed model's server, as the API layer wants it. */
export interface ServerSpec {
  /** Folder name under containers/, unique per deployed model. */
  readonly id: string;
  /** The container spec's image, by which a runtime is chosen. */
  readonly imageUri: string;
  /** The model.mar of a prebuilt image; "" without artifacts. */
  readonly archive: string;
  /** AIP_* variables and the container spec's own. */
  readonly env: Readonly<Record<string, string>>;
  readonly healthRoute: string;
  readonly predictRoute: string;
  /** The container spec's command and args: named in the log, never run. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  /** How long a deploy may take until the model answers. @default the pool's startupTimeoutMs */
  readonly deploymentTimeoutMs?: number;
  /** Until it passes, health and liveness are not looked at. Without one they are from the start. */
  readonly startupProbe?: Probe;
  /** Replaces the default health check, which routes predictions or stops routing them. */
  readonly healthProbe?: Probe;
  /** Replaces the default liveness check, which restarts the container. */
  readonly livenessProbe?: Probe;
}

/**
 * google.cloud.aiplatform.v1.Probe. A number that is 0 or missing stands for its default: period 10, timeout 1, failures
 * 3, successes 1, delay 0. Without an action it does what the default check does, at its own pace.
 */
export interface Probe {
  readonly exec?: { readonly command?: readonly string[] };
  readonly httpGet?: {
    readonly path?: string;
    readonly port?: number;
    readonly host?: string;
    readonly scheme?: string;
    readonly httpHeaders?: readonly { readonly name?: string; readonly value?: string }[];
  };
  readonly grpc?: { readonly port?: number; readonly service?: string };
  readonly tcpSocket?: { readonly port?: number; readonly host?: string };
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
  readonly successThreshold?: number;
  readonly initialDelaySeconds?: number;
}
