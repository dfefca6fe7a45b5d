/** What a REST call answered. */
export interface RestAnswer {
  readonly status: number;
  readonly body: RestBody;
}

/** The parts of answers that tests look at. */
export interface RestBody {
  readonly [field: string]: unknown;
  readonly name: string;
  readonly done?: boolean;
  readonly error?: { readonly code: number; readonly message: string; readonly status?: string };
}

const LONG_ENOUGH_MS = 30_000;

/** Calls Vertex AI by a bare request; `path` begins with "/v1/". */
export async function rest(
  base: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<RestAnswer> {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as RestBody };
}

/** Calls a long-running method and answers its operation once it has ended. Throws when the call is refused. */
export async function restOperation(
  base: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<RestBody> {
  const started = await rest(base, method, path, body);
  if (started.status !== 200) throw new Error(JSON.stringify(started.body));
  return waitForOperation(base, started.body.name);
}

/** Waits by the operations service itself, so nothing is polled. */
export async function waitForOperation(base: string, name: string): Promise<RestBody> {
  const deadline = Date.now() + LONG_ENOUGH_MS;
  while (Date.now() < deadline) {
    const { body } = await rest(base, "POST", `/v1/${name}:wait`, { timeout: "30s" });
    if (body.done === true) return body;
  }
  throw new Error(`The operation "${name}" did not end within ${LONG_ENOUGH_MS / 1000} s.`);
}
