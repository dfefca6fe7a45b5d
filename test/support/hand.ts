import type { EmulatorState } from "../../emulator/state.ts";
import { putObject } from "./bucket.ts";
import { emulatorState } from "./emulator.ts";
import { rest, restOperation } from "./vertex-rest.ts";

/** A person who changes a stack's things behind its back, by bare requests. */
export class Hand {
  readonly #address: () => { readonly rest: string };

  /** `address`: of the local cloud, asked for at each change, since a restart moves it. */
  constructor(address: () => { readonly rest: string }) {
    this.#address = address;
  }

  /** Undeploys one, the stack's own unless told otherwise; what stays gets its traffic. */
  async undeploy(id?: string): Promise<void> {
    const { name, deployedModels } = await this.#endpoint();
    const deployedModelId = id ?? deployedModels[0]?.id;
    const heir = deployedModels.find((one) => one.id !== deployedModelId);
    const trafficSplit = heir === undefined ? {} : { [heir.id]: 100 };
    await this.#operation("POST", `${name}:undeployModel`, { deployedModelId, trafficSplit });
  }

  async setReplicas(minReplicaCount: number, maxReplicaCount: number): Promise<void> {
    const { name, deployedModels } = await this.#endpoint();
    await this.#operation("POST", `${name}:mutateDeployedModel`, {
      deployedModel: {
        id: deployedModels[0]?.id,
        dedicatedResources: { minReplicaCount, maxReplicaCount },
      },
      updateMask: "dedicatedResources.minReplicaCount,dedicatedResources.maxReplicaCount",
    });
  }

  /** Deploys the stack's own model once more, with all traffic, under a name of somebody's own. */
  async deploy(displayName: string): Promise<void> {
    const { name, deployedModels } = await this.#endpoint();
    const [serving] = deployedModels;
    await this.#operation("POST", `${name}:deployModel`, {
      deployedModel: {
        id: "77",
        displayName,
        model: `${serving?.model}@${serving?.modelVersionId}`,
        dedicatedResources: { machineSpec: { machineType: "n1-standard-8" }, minReplicaCount: 1 },
      },
      trafficSplit: { "0": 100, [serving?.id ?? ""]: 0 },
    });
  }

  async setSplit(trafficSplit: Readonly<Record<string, number>>): Promise<void> {
    const { name } = await this.#endpoint();
    await this.#request("PATCH", `${name}?updateMask=trafficSplit`, { trafficSplit });
  }

  async describeEndpoint(fields: Readonly<Record<string, unknown>>): Promise<void> {
    const { name } = await this.#endpoint();
    await this.#request("PATCH", `${name}?updateMask=${Object.keys(fields).join(",")}`, fields);
  }

  /** Deletes the endpoint with what it serves. */
  async deleteEndpoint(): Promise<void> {
    await this.undeploy();
    await this.#operation("DELETE", (await this.#endpoint()).name);
  }

  async describeModel(fields: Readonly<Record<string, unknown>>): Promise<void> {
    const { name } = await this.#model();
    await this.#request("PATCH", `${name}?updateMask=${Object.keys(fields).join(",")}`, fields);
  }

  async mergeAliases(versionId: string, ...versionAliases: string[]): Promise<void> {
    const { name } = await this.#model();
    await this.#request("POST", `${name}@${versionId}:mergeVersionAliases`, { versionAliases });
  }

  async deleteVersion(versionId: string): Promise<void> {
    const { name } = await this.#model();
    await this.#operation("DELETE", `${name}@${versionId}:deleteVersion`);
  }

  async overwriteObject(
    bucket: string,
    name: string,
    metadata: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const base = this.#address().rest;
    await putObject(base, bucket, name, "somebody's own bytes");
    const path = `/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;
    await rest(base, "PATCH", path, { metadata });
  }

  async deleteObject(bucket: string, name: string): Promise<void> {
    await this.#delete(`/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`);
  }

  /** Deletes the bucket with all that is in it. */
  async deleteBucket(bucket: string): Promise<void> {
    const { body } = await rest(this.#address().rest, "GET", `/storage/v1/b/${bucket}/o`);
    const objects = (body["items"] ?? []) as { name: string }[];
    for (const { name } of objects) await this.deleteObject(bucket, name);
    await this.#delete(`/storage/v1/b/${bucket}`);
  }

  async #endpoint(): Promise<EmulatorState["endpoints"][number]> {
    const [endpoint] = (await emulatorState(this.#address())).endpoints;
    if (endpoint === undefined) throw new Error("there is no endpoint");
    return endpoint;
  }

  async #model(): Promise<EmulatorState["models"][number]> {
    const [model] = (await emulatorState(this.#address())).models;
    if (model === undefined) throw new Error("there is no model");
    return model;
  }

  async #request(method: string, path: string, body: unknown): Promise<void> {
    const answer = await rest(this.#address().rest, method, `/v1/${path}`, body);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  }

  async #operation(method: string, path: string, body?: unknown): Promise<void> {
    const { error } = await restOperation(this.#address().rest, method, `/v1/${path}`, body);
    if (error !== undefined) throw new Error(error.message);
  }

  async #delete(path: string): Promise<void> {
    const response = await fetch(`${this.#address().rest}${path}`, { method: "DELETE" });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  }
}
