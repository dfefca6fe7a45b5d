/** Makes a bucket by a bare request. */
export async function makeBucket(rest: string, name: string): Promise<void> {
  await expectOk(
    await fetch(`${rest}/storage/v1/b?project=local-project`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name, location: "US-CENTRAL1" }),
    }),
  );
}

/** Writes an object, or writes it anew. */
export async function putObject(
  rest: string,
  bucket: string,
  name: string,
  content: Buffer | string,
): Promise<void> {
  const query = `uploadType=media&name=${encodeURIComponent(name)}`;
  const body = typeof content === "string" ? content : new Uint8Array(content);
  await expectOk(
    await fetch(`${rest}/upload/storage/v1/b/${bucket}/o?${query}`, { method: "POST", body }),
  );
}

async function expectOk(response: Response): Promise<void> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${text}`);
}
