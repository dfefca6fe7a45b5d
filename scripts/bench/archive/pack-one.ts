/** One build in a process of its own, in the folder to pack: `pack-one.ts product|naive`. Prints the milliseconds of its work. */
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { ZipArchive } from "archiver";
import { planArchive } from "../../../components/archive-plan.ts";
import { buildArchive } from "../../../providers/archive.ts";

/** What most programs write with archiver: its defaults, deflate included. */
async function packNaively(): Promise<void> {
  const archive = new ZipArchive();
  const written = pipeline(archive, createWriteStream("naive.mar"));
  archive.directory("handler", false);
  archive.directory("weights", "weights");
  await archive.finalize();
  await written;
}

/** As `up` does it: the plan, which compares the weights with their lock, then the bytes. */
async function packAsProduct(): Promise<void> {
  const plan = planArchive(process.cwd(), {
    handler: "handler",
    weights: "weights",
    weightsIn: "archive",
  });
  await buildArchive(plan, "");
}

const started = performance.now();
await (process.argv[2] === "naive" ? packNaively() : packAsProduct());
console.log(performance.now() - started);
