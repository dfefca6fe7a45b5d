const PROBE_MS = 4_000;

/** Whether a host answers a plain request well, within a few seconds. */
export async function isReachable(url: string, timeoutMs: number = PROBE_MS): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
