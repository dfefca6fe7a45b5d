import { detailOf } from "./errors.ts";

/** A file, a revision or a repository of models on the Hugging Face hub. */
export interface HubAddress {
  /** "stable-diffusion-v1-5/stable-diffusion-v1-5". */
  readonly repository: string;
  /** Commit, branch or tag. */
  readonly revision?: string;
  /** Path in the repository. */
  readonly path?: string;
}

/** What the hub refused or could not do: the cause in words, and what to do next. */
export class HubError extends Error {
  /** HTTP status; undefined when the hub was not reached. */
  readonly status: number | undefined;
  /** One sentence. */
  readonly step: string;

  constructor(message: string, step: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "HubError";
    this.status = options.status;
    this.step = step;
  }
}

/** The hub, or the mirror of it that HF_ENDPOINT names as for the hub's own tools. No slash at its end. */
export function hubEndpoint(env: NodeJS.ProcessEnv = process.env): string {
  const configured = env["HF_ENDPOINT"] || "https://huggingface.co";
  const url = URL.parse(configured);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "") {
    throw new HubError(
      "the address in HF_ENDPOINT is not valid",
      'Set it to one like "https://huggingface.co", without credentials, or unset it.',
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

/** Only from the environment, and only for a header: it is in no lock, plan, state or message. */
function readToken(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const token = env["HF_TOKEN"]?.trim();
  if (!token) return undefined;
  // fetch would put it in its error.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new HubError("HF_TOKEN holds no token", "Set it to one that begins with hf_.");
  }
  return token;
}

/**
 * `fetch` for questions about one address: with the token where the hub itself is asked and nowhere else, and with a
 * HubError for every answer but a good one.
 */
export function hubFetch(address: HubAddress): typeof fetch {
  return async (input, init) => {
    const endpoint = hubEndpoint();
    const token = readToken();
    const headers = new Headers(init?.headers);
    const { origin } = new URL(input instanceof Request ? input.url : input);
    // A redirect to another host goes on without the header: fetch's own rule.
    if (token !== undefined && origin === new URL(endpoint).origin) {
      headers.set("Authorization", `Bearer ${token}`);
    }
    const response = await fetch(input, { ...init, headers }).catch((error: unknown) => {
      if (init?.signal?.aborted) throw init.signal.reason;
      // fetch says "fetch failed" and hides the socket's words.
      const { cause = error } = error as { cause?: unknown };
      throw new HubError(
        `the hub at "${origin}" can't be reached (${detailOf(cause)})`,
        "Check the connection, or set HF_ENDPOINT to a mirror of the hub.",
        { cause },
      );
    });
    if (response.ok) return response;
    await response.body?.cancel();
    throw refusal(address, response, token !== undefined);
  };
}

/** A file's content from an offset on. */
export interface OpenedFile {
  /** Where the content begins: the offset that was asked for, or 0 where the server gives only whole files. */
  readonly from: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/**
 * Opens a file of a repository. The hub's client is not asked: it takes every answer for the range that it asked for, and
 * tells of a transfer that breaks off only in words.
 */
export async function openHubFile(
  address: Required<HubAddress>,
  offset: number,
  signal: AbortSignal,
): Promise<OpenedFile> {
  const { repository, revision, path } = address;
  const name = path.split("/").map(encodeURIComponent).join("/");
  const response = await hubFetch(address)(
    `${hubEndpoint()}/${repository}/resolve/${encodeURIComponent(revision)}/${name}`,
    {
      signal,
      // Compressed, it would have no ranges.
      headers: {
        "Accept-Encoding": "identity",
        ...(offset > 0 && { Range: `bytes=${offset}-` }),
      },
    },
  );
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  const from = response.status === 206 ? Number(start ?? offset) : 0;
  return { from, content: response.body ?? emptyContent() };
}

async function* emptyContent(): AsyncGenerator<Uint8Array> {}

/** The hub's own codes stand in X-Error-Code; for what a caller may not see it answers 401 as if it were not there. */
function refusal(address: HubAddress, response: Response, hasToken: boolean): HubError {
  const { status } = response;
  const code = response.headers.get("x-error-code");
  const words = response.headers.get("x-error-message") ?? "";
  const page = `${hubEndpoint()}/${address.repository}`;
  const say = (message: string, step: string) => new HubError(message, step, { status });
  if (code === "RevisionNotFound") {
    return say(`it has no revision "${address.revision}"`, "Name a branch, a tag or a commit.");
  }
  if (code === "EntryNotFound") {
    return say(`it has no file "${address.path}"`, 'Run "npm run lock -- --upgrade".');
  }
  if (code === "GatedRepo" || (status === 403 && hasToken)) {
    return hasToken
      ? say(
          "HF_TOKEN may not read it",
          `Accept its licence at "${page}" with that token's account.`,
        )
      : say(
          "it is gated, and HF_TOKEN is not set",
          `Accept its licence at "${page}" and set HF_TOKEN to a token of that account.`,
        );
  }
  if (status === 401 && hasToken && /invalid/i.test(words)) {
    return say("the hub does not take the token in HF_TOKEN", "Set it to a valid one.");
  }
  if (code === "RepoNotFound" || status === 401 || status === 403) {
    return hasToken
      ? say("there is no such repository, or HF_TOKEN may not read it", "Correct its name.")
      : say(
          "there is no such public repository",
          "Correct its name, or set HF_TOKEN to a token that may read it.",
        );
  }
  if (status === 404) return say("there is no such repository", "Correct its name.");
  if (status === 429) {
    return say("the hub was asked too often", "Wait a few minutes, or set HF_TOKEN.");
  }
  return say(
    `the hub answered ${status} ${response.statusText}`.trim(),
    "Run the same command again later.",
  );
}
