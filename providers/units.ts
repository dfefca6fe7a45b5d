/** Bytes as people read them in messages: megabytes of 10^6 bytes, "2130.4". */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
