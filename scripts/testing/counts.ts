import { stripVTControlCharacters } from "node:util";

/** What a test runner's report says. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly failures: readonly Failure[];
}

/** One failed test, for the end of a long log. */
export interface Failure {
  readonly test: string;
  /** The first lines of its message. */
  readonly why: string;
}

export const NOTHING_COUNTED: Counts = { passed: 0, failed: 1, skipped: 0, failures: [] };

interface JestReport {
  readonly numPassedTests?: number;
  readonly numFailedTests?: number;
  readonly numPendingTests?: number;
  readonly numRuntimeErrorTestSuites?: number;
  readonly testResults?: readonly {
    readonly name: string;
    readonly message: string;
    readonly status: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Counts of Jest's JSON report. A suite that could not run counts as one failure. */
export function countJest(report: string, code: number): Counts {
  const {
    numPassedTests,
    numFailedTests,
    numPendingTests,
    numRuntimeErrorTestSuites,
    testResults,
  } = JSON.parse(report) as JestReport;
  const failed = (numFailedTests ?? 0) + (numRuntimeErrorTestSuites ?? 0);
  const failures = (testResults ?? []).flatMap((file) => {
    const tests = file.assertionResults
      .filter(({ status }) => status === "failed")
      .map((test) => toFailure(test.fullName, test.failureMessages.join("\n")));
    return tests.length === 0 && file.status === "failed"
      ? [toFailure(file.name, file.message)]
      : tests;
  });
  return {
    passed: numPassedTests ?? 0,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: numPendingTests ?? 0,
    failures,
  };
}

const FAILED_CASE =
  /<testcase classname="([^"]*)" name="([^"]*)"[^>]*>\s*<(?:failure|error) message="([^"]*)"/g;

/** Counts of pytest's JUnit report. */
export function countPytest(report: string, code: number): Counts {
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(report)?.[1] ?? 0);
  const failed = count("failures") + count("errors");
  const skipped = count("skipped");
  return {
    passed: count("tests") - failed - skipped,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped,
    failures: [...report.matchAll(FAILED_CASE)].map(([, file = "", test = "", message = ""]) =>
      toFailure(`${unescapeXml(file)}.${unescapeXml(test)}`, unescapeXml(message)),
    ),
  };
}

const MAX_LINES = 15;
const MAX_LINE_LENGTH = 300;

function toFailure(test: string, message: string): Failure {
  const lines = stripVTControlCharacters(message)
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^\s+at /.test(line))
    .map((line) => line.slice(0, MAX_LINE_LENGTH));
  return { test, why: lines.slice(0, MAX_LINES).join("\n") };
}

const XML_ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, code: string | undefined, name: string) =>
    code === undefined ? (XML_ENTITIES[name] ?? whole) : String.fromCodePoint(Number(code)),
  );
}

/** A failure as a person reads it: the test, and below it what it said. */
export function formatFailure(level: string, { test, why }: Failure): string {
  return `failed: ${level}: ${test}\n${why.replace(/^/gm, "    ")}`;
}
