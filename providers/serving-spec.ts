/** What a model version runs, apart from its archive. A change of any of it makes a new version. */
export interface ServingSpec {
  /** Serving container, "us-docker.pkg.dev/vertex-ai/prediction/pytorch-gpu.2-4:latest". */
  readonly image: string;
  /** Path that answers predictions; null: the prebuilt image's own. */
  readonly predictRoute: string | null;
  /** Path that answers health checks; null: the prebuilt image's own. */
  readonly healthRoute: string | null;
  /** First one is used; empty: 8080. */
  readonly ports: readonly number[];
  /** Variables of the container, sorted by name. AIP_* are Google's own. */
  readonly env: Readonly<Record<string, string>>;
}
