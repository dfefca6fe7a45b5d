import { html } from "./html.ts";
import type { Markup } from "./html.ts";

/** The emulator's own paths below this one are pages; no Google client asks for any. */
export const PAGE_PREFIX = "/_emulator/page/";

export function bucketPath(bucket: string, prefix = ""): string {
  const path = `${PAGE_PREFIX}buckets/${encodeURIComponent(bucket)}`;
  return prefix === "" ? path : `${path}?${new URLSearchParams({ prefix }).toString()}`;
}

export function logPath(serverId: string): string {
  return `${PAGE_PREFIX}logs/${encodeURIComponent(serverId)}`;
}

export function rawLogPath(serverId: string): string {
  return `/_emulator/logs/${encodeURIComponent(serverId)}`;
}

/** A `gs://` folder, linked to the list of its objects. */
export function artifactLink(artifactUri: string): Markup {
  const [, bucket, folder = ""] = /^gs:\/\/([^/]+)(?:\/(.*))?$/.exec(artifactUri) ?? [];
  if (bucket === undefined) return html`<code>${artifactUri}</code>`;
  return html`<a href="${bucketPath(bucket, folder)}"><code>${artifactUri}</code></a>`;
}

/** "us-central1/endpoints/1": the project is the same for all but a few. */
export function withoutProject(name: string): string {
  return name.replace(/^projects\/[^/]+\/locations\//, "");
}

/** A resource name, linked to its place on the same page, whose id is the name. */
export function resourceLink(name: string, text = name): Markup {
  return html`<a href="#${name}">${text}</a>`;
}
