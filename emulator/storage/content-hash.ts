import { combineCrc32c, decodeCrc32c, encodeCrc32c } from "./crc32c.ts";
import { invalid } from "./errors.ts";

/** What is known of finished content. */
export interface ContentDigest {
  /** Bytes. */
  readonly size: number;
  /** Base64 of the 16 bytes; absent for composed content. */
  readonly md5Hash?: string;
  /** Base64 of the 4 bytes, most significant first. */
  readonly crc32c: string;
}

/** What a client says the content's hashes are; absent where it says nothing. */
export interface HashClaims {
  readonly md5Hash?: string;
  readonly crc32c?: string;
}

/** The digest of contents one after the other, without reading them; it has no MD5. */
export function concatenateDigests(pieces: readonly ContentDigest[]): ContentDigest {
  const whole = pieces.reduce(
    ({ size, crc }, piece) => ({
      size: size + piece.size,
      crc: combineCrc32c(crc, decodeCrc32c(piece.crc32c), piece.size),
    }),
    { size: 0, crc: 0 },
  );
  return { size: whole.size, crc32c: encodeCrc32c(whole.crc) };
}

/** Refuses content that is not what the client said it was sending (400). */
export function verifyClaims(claims: HashClaims, digest: ContentDigest): void {
  if (claims.md5Hash !== undefined && claims.md5Hash !== digest.md5Hash) {
    throw invalid(
      `Provided MD5 hash "${claims.md5Hash}" doesn't match calculated MD5 hash "${digest.md5Hash}". Send the content again.`,
    );
  }
  if (claims.crc32c !== undefined && claims.crc32c !== digest.crc32c) {
    throw invalid(
      `Provided CRC32C "${claims.crc32c}" doesn't match calculated CRC32C "${digest.crc32c}". Send the content again.`,
    );
  }
}

/** Reads claims from the headers `X-Goog-Hash: crc32c=...,md5=...` (may be repeated) and `Content-MD5`. */
export function claimsFromHeaders(googHash: string, contentMd5: string | undefined): HashClaims {
  const claims: { md5Hash?: string; crc32c?: string } = {};
  if (contentMd5) claims.md5Hash = contentMd5;
  for (const item of googHash.split(",")) {
    const [, kind, value] = /^\s*(md5|crc32c)=(\S+)\s*$/.exec(item) ?? [];
    if (kind === "md5") claims.md5Hash = value;
    if (kind === "crc32c") claims.crc32c = value;
  }
  return claims;
}

/** The value of the response header `x-goog-hash`. */
export function toGoogHash(hashes: { crc32c: string; md5Hash?: string }): string {
  return hashes.md5Hash === undefined
    ? `crc32c=${hashes.crc32c}`
    : `crc32c=${hashes.crc32c},md5=${hashes.md5Hash}`;
}
