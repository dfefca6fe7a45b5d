import { PredictionServiceClient } from "@google-cloud/aiplatform/build/src/v1/prediction_service_client.js";
import { credentials } from "@grpc/grpc-js";
import { GoogleAuth, PassThroughClient } from "google-auth-library";
import type { Report } from "../../toolchain/report.ts";
import { interleave, measureCalls, ratioOf, spreadOf } from "../measure.ts";
import type { Contestant, Spread } from "../measure.ts";
import { formatNumber, formatRatio, formatTable } from "../table.ts";
import { ENDPOINT, deployHandler, findTorchServe } from "./deployment.ts";
import { closeClients, requestJson } from "./subject.ts";
import type { Address, Subject } from "./subject.ts";

/** What a prediction takes by one way. */
export interface PredictRow {
  /** Of the answer. */
  readonly answerBytes: number;
  readonly by: string;
  /** Of all predictions, milliseconds. */
  readonly latencyMs: Spread;
  /** A round's median less the one of TorchServe asked directly, milliseconds. */
  readonly addedMs: Spread;
  /** The same two medians as a ratio. */
  readonly ratio: Spread;
}

export interface PredictOptions {
  readonly rounds: number;
  /** Predictions by each way in each round. */
  readonly calls: number;
  readonly signal: AbortSignal;
}

const ANSWERS_BYTES = [1_000, 1_000_000] as const;
const DIRECT = "TorchServe directly, REST";

/** Latency of predictions by REST and gRPC, against the same request to the same TorchServe. */
export async function measurePredict(
  subject: Subject,
  options: PredictOptions,
  report: Report,
): Promise<readonly PredictRow[]> {
  const step = report.step("Predictions");
  step.update("deploying");
  const client = predictionClient(subject.address);
  try {
    await deployHandler(subject.address);
    const direct = `${await findTorchServe(subject)}/predictions/model`;
    const rows: PredictRow[] = [];
    for (const answerBytes of ANSWERS_BYTES) {
      const onProgress = (detail: string): void => step.update(`${answerBytes} bytes: ${detail}`);
      const ways = waysOf(subject.address, client, direct, answerBytes, options.calls);
      rows.push(...toRows(answerBytes, await interleave(ways, { ...options, onProgress })));
    }
    step.done();
    return rows;
  } finally {
    await client.close();
    await closeClients(subject.address);
  }
}

/** Each answers the latencies of one round, milliseconds. */
function waysOf(
  { rest }: Address,
  client: PredictionServiceClient,
  direct: string,
  answerBytes: number,
  calls: number,
): readonly Contestant<readonly number[]>[] {
  const body = { instances: [{ bytes: answerBytes }] };
  const way = (name: string, predict: () => Promise<number>) => ({
    name,
    run: async () => {
      const predictWhole = async (): Promise<void> => {
        const length = await predict();
        if (length !== answerBytes) throw new Error(`a prediction had ${length} characters`);
      };
      return (await measureCalls(predictWhole, { calls, callers: 1 })).latenciesMs;
    },
  });
  return [
    way(DIRECT, () => predictByRequest(direct, body)),
    way("REST", () => predictByRequest(`${rest}/v1/${ENDPOINT}:predict`, body)),
    way("Google's client, gRPC", () => predictByClient(client, answerBytes)),
  ];
}

async function predictByRequest(url: string, body: unknown): Promise<number> {
  const { predictions } = await requestJson<{ predictions: readonly string[] }>(url, body);
  return predictions[0]?.length ?? 0;
}

async function predictByClient(client: PredictionServiceClient, bytes: number): Promise<number> {
  const instance = { structValue: { fields: { bytes: { numberValue: bytes } } } };
  const [{ predictions }] = await client.predict({ endpoint: ENDPOINT, instances: [instance] });
  return predictions?.[0]?.stringValue?.length ?? 0;
}

function predictionClient({ grpc }: Address): PredictionServiceClient {
  const [host = "", port = ""] = grpc.split(":");
  return new PredictionServiceClient({
    apiEndpoint: host,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    // Without an auth object the client asks the metadata server, which no laptop has.
    auth: new GoogleAuth({ authClient: new PassThroughClient() }),
  });
}

function toRows(
  answerBytes: number,
  results: ReadonlyMap<string, readonly (readonly number[])[]>,
): readonly PredictRow[] {
  const medians = (rounds: readonly (readonly number[])[]): readonly number[] =>
    rounds.map((latencies) => spreadOf(latencies).median);
  const direct = medians(results.get(DIRECT) ?? []);
  return [...results].map(([by, rounds]) => ({
    answerBytes,
    by,
    latencyMs: spreadOf(rounds.flat()),
    addedMs: spreadOf(medians(rounds).map((median, round) => median - (direct[round] ?? NaN))),
    ratio: ratioOf(medians(rounds), direct),
  }));
}

export function formatPredict(rows: readonly PredictRow[]): string {
  return formatTable(rows, [
    { head: "answer bytes", cell: ({ answerBytes }) => String(answerBytes) },
    { head: "asked by", cell: ({ by }) => by, align: "left" },
    { head: "median ms", cell: ({ latencyMs }) => formatNumber(latencyMs.median) },
    { head: "p95 ms", cell: ({ latencyMs }) => formatNumber(latencyMs.p95) },
    { head: "added ms", cell: ({ addedMs }) => formatNumber(addedMs.median) },
    { head: "against direct", cell: ({ ratio }) => formatRatio(ratio) },
  ]);
}
