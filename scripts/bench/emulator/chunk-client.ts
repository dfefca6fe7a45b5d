import { Storage } from "@google-cloud/storage";
import { PassThroughClient } from "google-auth-library";
import { PROJECT } from "./subject.ts";
import type { Address } from "./subject.ts";

type RequestOptions = Parameters<PassThroughClient["request"]>[0];

/**
 * A client whose TransferManager.uploadFileInChunks reaches an emulator: that one writes `https://BUCKET.HOST/OBJECT`,
 * whatever apiEndpoint says, so its requests have to be led there.
 */
export function chunkClient({ rest }: Address): Storage {
  return new Storage({
    projectId: PROJECT,
    // A name: `BUCKET.127.0.0.1` is no valid address.
    apiEndpoint: rest.replace("127.0.0.1", "localhost"),
    authClient: new PathStyleTransport(rest),
  });
}

class PathStyleTransport extends PassThroughClient {
  readonly #rest: string;

  constructor(rest: string) {
    super();
    this.#rest = rest;
  }

  override request<T>(
    options: RequestOptions,
  ): ReturnType<typeof PassThroughClient.prototype.request<T>> {
    const [, bucket, rest] =
      /^https:\/\/([^/]+)\.localhost\/(.*)$/s.exec(String(options.url)) ?? [];
    if (bucket === undefined) return super.request<T>(options);
    return super.request<T>({ ...options, url: `${this.#rest}/${bucket}/${rest}` });
  }
}
