/** One deployed model's server, as the API layer wants it. */
export interface ServerSpec {
  /** Folder name under containers/, unique per deployed model. */
  readonly id: string;
  /** The container spec's image, by which a runtime is chosen. */
  readonly imageUri?: string;
  /** The model.mar to serve; "" without artifacts. */
  readonly archive: string;
  /** AIP_* variables and the container spec's own. */
  readonly env: Readonly<Record<string, string>>;
  readonly healthRoute: string;
  readonly predictRoute: string;
}
