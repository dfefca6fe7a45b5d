import { describe, expect, it } from "@jest/globals";
import { countJest, countPytest, formatFailure } from "../../scripts/testing/counts.ts";

describe("counts of Jest's report", () => {
  const report = {
    numPassedTests: 2,
    numFailedTests: 1,
    numPendingTests: 1,
    numRuntimeErrorTestSuites: 1,
    testResults: [
      {
        name: "/p/a.test.ts",
        status: "failed",
        message: "all of it",
        assertionResults: [
          { fullName: "a works", status: "passed", failureMessages: [] },
          {
            fullName: "a is quick",
            status: "failed",
            failureMessages: ["\u001b[31mpulumi up ended\u001b[39m\n\n  with 1\n    at a.ts:1:2"],
          },
        ],
      },
      { name: "/p/b.test.ts", status: "failed", message: "no such module", assertionResults: [] },
    ],
  };

  it("counts a file that can't be loaded as a failure, and says why each test failed", () => {
    expect(countJest(JSON.stringify(report), 1)).toEqual({
      passed: 2,
      failed: 2,
      skipped: 1,
      failures: [
        { test: "a is quick", why: "pulumi up ended\n  with 1" },
        { test: "/p/b.test.ts", why: "no such module" },
      ],
    });
  });

  it("counts one failure when Jest fails without a failed test", () => {
    expect(countJest('{"numPassedTests": 3}', 1)).toMatchObject({ passed: 3, failed: 1 });
    expect(countJest('{"numPassedTests": 3}', 0)).toMatchObject({ passed: 3, failed: 0 });
  });
});

describe("counts of pytest's report", () => {
  const report = `<testsuites><testsuite errors="1" failures="1" skipped="1" tests="5">
<testcase classname="tests.test_a" name="test_one" time="0.1" />
<testcase classname="tests.test_a" name="test_two[&lt;1&gt;]" time="0.1"><failure message="AssertionError: a &amp; b&#10;assert 1 == 2">def</failure></testcase>
<testcase classname="tests.test_b" name="test_three" time="0.1"><error message="failed on setup">def</error></testcase>
</testsuite></testsuites>`;

  it("says why each test failed", () => {
    expect(countPytest(report, 1)).toEqual({
      passed: 2,
      failed: 2,
      skipped: 1,
      failures: [
        { test: "tests.test_a.test_two[<1>]", why: "AssertionError: a & b\nassert 1 == 2" },
        { test: "tests.test_b.test_three", why: "failed on setup" },
      ],
    });
  });
});

it("shows a failed test with its message below", () => {
  expect(formatFailure("stack", { test: "a works", why: "no\nquota" })).toBe(
    "failed: stack: a works\n    no\n    quota",
  );
});
