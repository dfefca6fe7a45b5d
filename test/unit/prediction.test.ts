import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "@jest/globals";
import { predict, predictAll } from "../../scripts/prediction.ts";

const text = (content: string) => Buffer.from(content).toString("base64");

describe("asking an endpoint for pictures", () => {
  let server: Server;

  afterEach(() => {
    server.close();
  });

  /** The address of a server that gives this answer to every request. */
  async function answering(body: unknown, status = 200): Promise<string> {
    server = createServer((_request, response) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/predict`;
  }

  it.each([
    { form: "one picture", prediction: text("a"), pictures: ["a"], details: undefined },
    { form: "several", prediction: [text("a"), text("b")], pictures: ["a", "b"] },
    {
      form: "the full output",
      prediction: { images: [text("a")], seeds: [7], version: "1" },
      pictures: ["a"],
      details: { seeds: [7], version: "1" },
    },
  ])("reads $form", async ({ prediction, pictures, details }) => {
    const url = await answering({ predictions: [prediction] });

    const answer = await predictAll(url, { prompt: "x" });

    expect(answer.pictures.map(String)).toEqual(pictures);
    expect(answer.details).toEqual(details);
    expect(String(await predict(url, { prompt: "x" }))).toBe("a");
  });

  it("says what was wrong with a refused instance", async () => {
    const error = { code: 400, message: "width must be a multiple of 8, got 65", field: "width" };
    const url = await answering({ predictions: [{ error }] });

    await expect(predictAll(url, { prompt: "x" })).rejects.toThrow(
      "The endpoint refused the request: width must be a multiple of 8, got 65.",
    );
  });

  it("says what a call was answered with that failed", async () => {
    const url = await answering({ error: { message: "no such endpoint" } }, 404);

    await expect(predictAll(url, { prompt: "x" })).rejects.toThrow(
      "The endpoint answered 404: no such endpoint",
    );
  });

  it("says that an answer has no picture", async () => {
    const url = await answering({ predictions: [{ images: [] }] });

    await expect(predict(url, { prompt: "x" })).rejects.toThrow("answered no picture");
    expect((await predictAll(url, { prompt: "x" })).pictures).toEqual([]);
  });
});
