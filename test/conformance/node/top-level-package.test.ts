/** @google-cloud/aiplatform as its README has it: the package's root, API versions v1 and v1beta1. */
import { v1, v1beta1 } from "@google-cloud/aiplatform";
import { describe, expect, it, jest } from "@jest/globals";
import { vertexOptions } from "./support/clients.ts";
import { parentOf, prefixOf, readTarget } from "./support/target.ts";

const target = readTarget();
const parent = parentOf(target);
const MINUTE_MS = 60_000;

// Loading every service takes seconds by itself.
jest.setTimeout(5 * MINUTE_MS);

describe.each([
  { version: "v1", Client: v1.EndpointServiceClient },
  { version: "v1beta1", Client: v1beta1.EndpointServiceClient },
])("@google-cloud/aiplatform's $version client", ({ version, Client }) => {
  it("makes, lists and deletes an endpoint", async () => {
    const client = new Client(vertexOptions(target));
    const displayName = `${prefixOf(target)}-top-level-${version}`;

    const [creation] = await client.createEndpoint({ parent, endpoint: { displayName } });
    const [made] = await creation.promise();
    const listed: string[] = [];
    for await (const endpoint of client.listEndpointsAsync({
      parent,
      filter: `display_name="${displayName}"`,
    })) {
      listed.push(endpoint.name ?? "");
    }
    const [deletion] = await client.deleteEndpoint({ name: made.name ?? "" });
    await deletion.promise();

    expect(listed).toEqual([made.name]);
    await client.close();
  });
});
