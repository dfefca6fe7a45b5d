/** One upload as the ArchiveUpload resource does it, in a process of its own: REST address, bucket, object, file. Prints its milliseconds. */
import { storageClient } from "../../../providers/clients.ts";
import { sendObject } from "../../../providers/send-object.ts";
import { PART_SIZES } from "../../../providers/upload-parts.ts";
import { PROJECT } from "../emulator/subject.ts";

const [rest = "", bucket = "", name = "", path = ""] = process.argv.slice(2);
const started = performance.now();
const storage = await storageClient({ kind: "emulator", rest, grpc: "" }, PROJECT);
await sendObject({
  file: storage.bucket(bucket).file(name),
  path,
  contentType: "application/zip",
  marks: {},
  ifGenerationMatch: 0,
  partsPrefix: "parts/",
  sizes: PART_SIZES,
  onProgress: () => undefined,
  onArrival: () => undefined,
});
console.log(performance.now() - started);
