/** A .safetensors file with one tensor of so many bytes. */
export function tensorFile(bytes: number, fill = "0"): Buffer {
  const header = JSON.stringify({ a: { dtype: "U8", shape: [bytes], data_offsets: [0, bytes] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header), Buffer.alloc(bytes, fill)]);
}
