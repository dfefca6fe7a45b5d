import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { PartFile, partBytes } from "../../../providers/part-file.ts";

const DEAD = spawnSync(process.execPath, ["--version"]).pid;
const ALIVE = process.ppid;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "part-file-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

describe("PartFile", () => {
  it("goes on with the longest that a dead process left, checksums included", async () => {
    write(`file.${DEAD}.part`, "abc");
    write(`file.${process.pid}.part`, "a");
    write(`other.${DEAD}.part`, "abcdef");

    const before = await partBytes(folder, "file");
    const part = await PartFile.claim(folder, "file");
    await part!.append(Buffer.from("d"));

    expect(before).toBe(3);
    expect(part!.content).toMatchObject({
      size: 4,
      sha256: "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589",
      crc32: 0xed82cd11,
    });
    await part!.finish(join(folder, "file"));
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("abcd");
    expect(readdirSync(folder).sort()).toEqual(["file", `other.${DEAD}.part`]);
  });

  it("is refused while another process writes to one", async () => {
    write(`file.${ALIVE}.part`, "abc");
    write(`file.${DEAD}.part`, "abcdef");

    expect(await PartFile.claim(folder, "file")).toBeNull();
  });

  it("is taken from a process that has not written to it for minutes", async () => {
    const path = write(`file.${ALIVE}.part`, "abc");
    const minutesAgo = Date.now() / 1_000 - 180;
    utimesSync(path, minutesAgo, minutesAgo);

    const part = await PartFile.claim(folder, "file");

    expect(part?.size).toBe(3);
    await part?.close();
  });

  it("forgets what is there when it is begun anew", async () => {
    write(`file.${DEAD}.part`, "torn");

    const part = await PartFile.claim(folder, "file");
    await part!.restart();
    await part!.append(Buffer.from("abcd"));
    await part!.finish(join(folder, "file"));

    expect(part!.content.crc32).toBe(0xed82cd11);
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("abcd");
  });
});
