import { describe, expect, it } from "@jest/globals";
import { BuildProgress } from "../../scripts/toolchain/pulumi-make.ts";
import { formatElapsed, formatProgress, terminalReport } from "../../scripts/toolchain/report.ts";
import { describeError, UserError } from "../../scripts/toolchain/user-error.ts";

function fakeTarget(isTTY: boolean) {
  const written: string[] = [];
  return { written, target: { isTTY, columns: 80, write: (text: string) => written.push(text) } };
}

/** A clock that is 65 s further at each look. */
function fakeClock(): () => number {
  let now = 0;
  return () => (now += 65_000) - 65_000;
}

describe("terminalReport", () => {
  it("writes plain lines, without control codes, where there is no terminal", () => {
    const { target, written } = fakeTarget(false);
    const report = terminalReport(target, fakeClock());

    const step = report.step("Building pulumi");
    step.update("7 packages");
    report.note("something else");
    step.done("133 MB");

    expect(written).toEqual([
      "Building pulumi ...\n",
      "something else\n",
      "✓ Building pulumi (1 min 05 s): 133 MB\n",
    ]);
  });

  it("redraws one line on a terminal and ends it", () => {
    const { target, written } = fakeTarget(true);

    const step = terminalReport(target, () => 0).step("Building pulumi");
    step.update("7 packages");
    step.fail("not built");

    expect(written).toEqual([
      "\r\u001b[2KBuilding pulumi (0 s)",
      "\r\u001b[2KBuilding pulumi (0 s): 7 packages",
      "\r\u001b[2K✗ Building pulumi (0 s): not built\n",
    ]);
  });

  it("draws the running step again under a note", () => {
    const { target, written } = fakeTarget(true);
    const report = terminalReport(target, () => 0);

    const step = report.step("Building");
    report.note("news");
    step.done();

    expect(written.slice(1, 3)).toEqual(["\r\u001b[2Knews\n", "\r\u001b[2KBuilding (0 s)"]);
  });
});

describe("formatProgress", () => {
  it("stays within the width of the terminal", () => {
    expect(formatProgress("Building", 1_000, "a long detail", 20)).toBe("Building (1 s): a …");
  });
});

describe("formatElapsed", () => {
  it.each([
    { ms: 59_400, text: "59 s" },
    { ms: 60_000, text: "1 min 00 s" },
    { ms: 605_000, text: "10 min 05 s" },
  ])("$ms ms is $text", ({ ms, text }) => {
    expect(formatElapsed(ms)).toBe(text);
  });
});

describe("BuildProgress", () => {
  it("counts modules while they are fetched, then packages, and passes over compiler messages", () => {
    const news: string[] = [];
    const step = { update: (text: string) => news.push(text), done: () => 0, fail: () => 0 };
    const progress = new BuildProgress(step, 500);

    progress.read("go: downloading golang.org/x/net v0.1.0");
    progress.read("internal/abi");
    progress.read("# example.com/broken");
    progress.read("github.com/pulumi/pulumi/sdk/v3/go/common/env");

    expect(news).toEqual([
      "1 modules downloaded",
      "1 of about 500 packages compiled",
      "2 of about 500 packages compiled",
    ]);
  });
});

describe("describeError", () => {
  it("is the sentence alone for what the user can put right", () => {
    expect(describeError(new UserError("Port 8085 is in use."))).toBe("Port 8085 is in use.");
  });

  it("is the stack and a line that it is a bug for everything else", () => {
    const error = new Error("broken");

    expect(describeError(error)).toBe(
      `${error.stack}\nThis is a bug in vertex-diffusion: please report it with the lines above.`,
    );
  });
});
