import { describe, expect, it } from "@jest/globals";
import { formatMachine, parsePeakMemoryMiB } from "../../scripts/bench/machine.ts";
import { parseSize, readOptions } from "../../scripts/bench/options.ts";
import { formatNumber, formatRatio, formatTable } from "../../scripts/bench/table.ts";
import { UserError } from "../../scripts/toolchain/user-error.ts";

const MACHINE = {
  cpu: "A processor",
  cores: 8,
  memoryGiB: 32,
  system: "Linux 6.1.0 x64",
  disk: "/tmp (ext4)",
  load: 0.2,
  versions: { Node: "24.9.0", torchserve: "0.12.0" },
};

describe("formatTable", () => {
  it("lays words to the left and numbers to the right, with no blanks behind", () => {
    const rows = [
      { way: "copy", rate: "1200", note: "" },
      { way: "download", rate: "98.5", note: "slow" },
    ];

    const table = formatTable(rows, [
      { head: "way", cell: ({ way }) => way, align: "left" },
      { head: "MB/s", cell: ({ rate }) => rate },
      { head: "note", cell: ({ note }) => note, align: "left" },
    ]);

    expect(table.split("\n")).toEqual([
      "way       MB/s  note",
      "copy      1200",
      "download  98.5  slow",
    ]);
  });
});

describe("formatNumber", () => {
  it.each([
    { value: 0.0412, text: "0.041" },
    { value: 4.125, text: "4.13" },
    { value: 41.25, text: "41.3" },
    { value: 412.5, text: "413" },
    { value: 4120, text: "4120" },
    { value: -4.125, text: "-4.13" },
    { value: 0, text: "0.000" },
  ])("writes $value as $text", ({ value, text }) => {
    expect(formatNumber(value)).toBe(text);
  });
});

describe("formatRatio", () => {
  it("names the lowest and the highest round beside the median", () => {
    const spread = { count: 3, median: 0.85, p95: 1.1, low: 0.5, high: 1.25 };

    expect(formatRatio(spread)).toBe("0.850x (0.500-1.25)");
  });
});

describe("formatMachine", () => {
  it("names the machine and the versions", () => {
    expect(formatMachine(MACHINE).split("\n")).toEqual([
      "A processor, 8 cores, 32 GiB; Linux 6.1.0 x64; files in /tmp (ext4)",
      "Node 24.9.0, torchserve 0.12.0",
    ]);
  });

  it("says that other work ran", () => {
    expect(formatMachine({ ...MACHINE, load: 3.25 })).toContain(
      "busy: 3.3 processes wanted its 8 cores",
    );
  });
});

describe("parsePeakMemoryMiB", () => {
  it("reads the peak, not what the process holds now", () => {
    const status = "VmPeak:\t 900000 kB\nVmHWM:\t  209920 kB\nVmRSS:\t  104960 kB\n";

    expect(parsePeakMemoryMiB(status)).toBe(205);
  });

  it("is undefined where the system does not say", () => {
    expect(parsePeakMemoryMiB("")).toBeUndefined();
  });
});

describe("readOptions", () => {
  it("gives every benchmark --quick, --json and --help beside its own", () => {
    const options = readOptions("archive", ["--quick", "--size", "1GiB"], {
      size: { type: "string" },
    });

    expect(options).toEqual({ quick: true, json: false, help: false, size: "1GiB" });
  });

  it("refuses an option that there is not, and names the help", () => {
    const read = () => readOptions("archive", ["--fast"], {});

    expect(read).toThrow(UserError);
    expect(read).toThrow('See "npm run bench:archive -- --help".');
  });
});

describe("parseSize", () => {
  it.each([
    { text: "512KiB", bytes: 524_288 },
    { text: "64MiB", bytes: 67_108_864 },
    { text: "1GiB", bytes: 1_073_741_824 },
  ])("reads $text as $bytes bytes", ({ text, bytes }) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(["", "1", "1GB", "0MiB", "-1MiB", "1.5GiB"])('refuses "%s"', (text) => {
    expect(() => parseSize(text)).toThrow(UserError);
  });
});
