import type { Report } from "../../toolchain/report.ts";
import { requestJson } from "../emulator/subject.ts";
import type { Address, Subject } from "../emulator/subject.ts";
import { interleave, ratioOf, spreadOf } from "../measure.ts";
import type { Spread } from "../measure.ts";
import { formatNumber, formatRatio } from "../table.ts";
import { BenchStack } from "./bench-stack.ts";
import { writeRandomWeights } from "./random-weights.ts";

export interface StackFigures {
  readonly sizeBytes: number;
  /** Of a preview in which nothing has changed, seconds of the whole CLI. */
  readonly previewSeconds: { readonly tiny: Spread; readonly large: Spread };
  /** The large stack's against the tiny one's, round by round. */
  readonly previewRatio: Spread;
  /** Calls to the cloud of such a preview. */
  readonly previewCalls: { readonly tiny: number; readonly large: number };
  /** The most that a dynamic provider held in a stack's first `up`, which packs and sends, MiB. */
  readonly providerPeakMiB: {
    readonly tiny: number | undefined;
    readonly large: number | undefined;
  };
  /** What `up` sent after a line of the handler changed. */
  readonly changedLine: { readonly inArchive: number; readonly inArtifact: number };
}

export interface StackOptions {
  readonly rounds: number;
  /** Of the large stack's weights. */
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
}

const TINY_BYTES = 2 ** 10;
const UP = ["up", "--yes", "--skip-preview"];

/** Brings up one program with tiny and with large weights on the real CLI, and measures what weights should not change. */
export async function measureStacks(
  subject: Subject,
  { rounds, sizeBytes, signal }: StackOptions,
  report: Report,
): Promise<StackFigures> {
  const step = report.step(
    `Stacks with ${TINY_BYTES / 2 ** 10} KiB and ${Math.round(sizeBytes / 2 ** 20)} MiB of weights`,
  );
  const made: BenchStack[] = [];
  const bringUp = async (name: string, bytes: number) => {
    step.update(`up, ${name}`);
    const stack = await BenchStack.create(subject, name, (root) => writeRandomWeights(root, bytes));
    made.push(stack);
    signal.throwIfAborted();
    return { stack, up: await stack.run(UP) };
  };
  try {
    const tiny = await bringUp("tiny", TINY_BYTES);
    const large = await bringUp("large", sizeBytes);
    const previews = await interleave(
      [tiny, large].map(({ stack }) => ({
        name: stack === tiny.stack ? "tiny" : "large",
        run: async () => {
          await clearRequests(subject.address);
          const { ms } = await stack.run(["preview", "--expect-no-changes"]);
          return { seconds: ms / 1000, calls: (await listRequests(subject.address)).length };
        },
      })),
      { rounds, signal, onProgress: (detail) => step.update(`preview, ${detail}`) },
    );
    const secondsOf = (name: string) => (previews.get(name) ?? []).map(({ seconds }) => seconds);
    const callsOf = (name: string) => previews.get(name)?.[0]?.calls ?? 0;
    step.update("a changed line, weightsIn: archive");
    const inArchive = await sentByChangedLine(subject, large.stack);
    await large.stack.set("artifact");
    await large.stack.run(UP);
    step.update("a changed line, weightsIn: artifact");
    const inArtifact = await sentByChangedLine(subject, large.stack);
    step.done();
    return {
      sizeBytes,
      previewSeconds: { tiny: spreadOf(secondsOf("tiny")), large: spreadOf(secondsOf("large")) },
      previewRatio: ratioOf(secondsOf("large"), secondsOf("tiny")),
      previewCalls: { tiny: callsOf("tiny"), large: callsOf("large") },
      providerPeakMiB: { tiny: tiny.up.providerPeakMiB, large: large.up.providerPeakMiB },
      changedLine: { inArchive, inArtifact },
    };
  } catch (error) {
    step.fail("stopped");
    throw error;
  } finally {
    for (const stack of made) await stack.remove();
  }
}

export function formatStacks(figures: StackFigures): string {
  const { sizeBytes, previewSeconds, previewRatio, previewCalls, changedLine } = figures;
  const gib = formatNumber(sizeBytes / 2 ** 30);
  const peakOf = (peak: number | undefined) =>
    peak === undefined ? "not known here" : `${formatNumber(peak)} MiB`;
  const { tiny, large } = figures.providerPeakMiB;
  return [
    `The same program with ${TINY_BYTES / 2 ** 10} KiB and with ${gib} GiB of weights, by the real CLI`,
    "",
    `Preview with no change: ${formatNumber(previewSeconds.large.median)} s and ${previewCalls.large} calls with ${gib} GiB, ` +
      `${formatNumber(previewSeconds.tiny.median)} s and ${previewCalls.tiny} calls with next to none: ${formatRatio(previewRatio)}`,
    `Most that a dynamic provider held in the first up, Pulumi's own part included: ${peakOf(large)} with ${gib} GiB, ${peakOf(tiny)} with next to none`,
    `Sent for a changed line of the handler: ${formatNumber(changedLine.inArchive / 1e6)} MB with weightsIn: archive, ` +
      `${formatNumber(changedLine.inArtifact / 1e6)} MB with weightsIn: artifact`,
  ].join("\n");
}

/** Bytes that an `up` uploads after a line of the handler changed: new objects that were not copied within Cloud Storage. */
async function sentByChangedLine({ address }: Subject, stack: BenchStack): Promise<number> {
  const before = new Set((await listObjects(address)).map(({ id }) => id));
  await stack.changeHandler();
  await clearRequests(address);
  await stack.run(UP);
  const uploads = (await listRequests(address)).filter(({ method }) =>
    /insert|compose/.test(method),
  );
  const fresh = (await listObjects(address)).filter(({ id }) => !before.has(id));
  const sent = fresh.filter(({ name }) => uploads.some(({ resource }) => resource.endsWith(name)));
  return sent.reduce((sum, { size }) => sum + Number(size), 0);
}

interface StoredObject {
  readonly id: string;
  readonly name: string;
  readonly size: string;
}

/** All objects of the stacks' buckets. */
async function listObjects({ rest }: Address): Promise<StoredObject[]> {
  const { buckets } = await requestJson<{ buckets: readonly { name: string }[] }>(
    `${rest}/_emulator/state`,
  );
  const lists = buckets.map(async ({ name }) =>
    requestJson<{ items?: StoredObject[] }>(`${rest}/storage/v1/b/${name}/o`),
  );
  return (await Promise.all(lists)).flatMap(({ items }) => items ?? []);
}

interface Request {
  readonly method: string;
  readonly resource: string;
}

async function listRequests({ rest }: Address): Promise<readonly Request[]> {
  return (await requestJson<{ requests: readonly Request[] }>(`${rest}/_emulator/requests`))
    .requests;
}

async function clearRequests({ rest }: Address): Promise<void> {
  await fetch(`${rest}/_emulator/requests`, { method: "DELETE" });
}
