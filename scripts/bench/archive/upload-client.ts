/** One upload by Google's Node client as it comes, in a process of its own: REST address, bucket, object, file. */
import { Storage } from "@google-cloud/storage";
import { PassThroughClient } from "google-auth-library";
import { PROJECT } from "../emulator/subject.ts";

const [apiEndpoint = "", bucket = "", destination = "", path = ""] = process.argv.slice(2);
const client = new Storage({
  projectId: PROJECT,
  apiEndpoint,
  authClient: new PassThroughClient(),
});
await client.bucket(bucket).upload(path, { destination });
