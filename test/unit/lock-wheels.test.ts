import { describe, expect, it } from "@jest/globals";

import { chooseWheel } from "../../scripts/lock/wheels.ts";

const OWN = ["x-1-cp39-cp39-manylinux2014_x86_64.whl", "x-1-cp310-cp310-manylinux2014_x86_64.whl"];

describe("chooseWheel", () => {
  it.each([
    {
      what: "a pure wheel before a stable and an own one",
      files: ["x-1-py3-none-any.whl", "x-1-cp38-abi3-manylinux1_x86_64.whl", ...OWN],
      chosen: "x-1-py3-none-any.whl",
    },
    {
      what: "a pure wheel for Python 2 and 3",
      files: ["x-1-py2.py3-none-any.whl"],
      chosen: "x-1-py2.py3-none-any.whl",
    },
    {
      what: "a stable wheel before an own one",
      files: ["x-1-cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", ...OWN],
      chosen: "x-1-cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    },
    {
      what: "the stable wheel for the most Pythons",
      files: ["x-1-cp39-abi3-manylinux2014_x86_64.whl", "x-1-cp38-abi3-manylinux2014_x86_64.whl"],
      chosen: "x-1-cp38-abi3-manylinux2014_x86_64.whl",
    },
    {
      what: "a program without Python code for any Python 3",
      files: ["x-1-py3-none-manylinux_2_17_x86_64.whl", ...OWN],
      chosen: "x-1-py3-none-manylinux_2_17_x86_64.whl",
    },
    { what: "this Python's own wheel", files: OWN, chosen: OWN[0] },
    {
      what: "the newest of the C libraries that the image has",
      files: [
        "x-1-cp39-cp39-manylinux1_x86_64.whl",
        "x-1-cp39-cp39-manylinux2014_x86_64.whl",
        "x-1-cp39-cp39-manylinux_2_28_x86_64.whl",
      ],
      chosen: "x-1-cp39-cp39-manylinux2014_x86_64.whl",
    },
    {
      what: "a wheel that names an old C library beside a new one",
      files: ["x-1-cp39-cp39-manylinux_2_28_x86_64.manylinux_2_5_x86_64.whl"],
      chosen: "x-1-cp39-cp39-manylinux_2_28_x86_64.manylinux_2_5_x86_64.whl",
    },
    {
      what: "a wheel with a build number",
      files: ["x-1-2-cp39-cp39-manylinux2014_x86_64.whl"],
      chosen: "x-1-2-cp39-cp39-manylinux2014_x86_64.whl",
    },
  ])("takes $what", ({ files, chosen }) => {
    expect(chooseWheel(files, "3.9", 17)).toBe(chosen);
  });

  it.each([
    { what: "a newer C library", file: "x-1-cp39-cp39-manylinux_2_28_x86_64.whl" },
    { what: "a newer stable ABI", file: "x-1-cp310-abi3-manylinux2014_x86_64.whl" },
    { what: "another Python", file: "x-1-cp310-cp310-manylinux2014_x86_64.whl" },
    { what: "another processor", file: "x-1-cp39-cp39-manylinux2014_aarch64.whl" },
    { what: "another C library", file: "x-1-cp39-cp39-musllinux_1_2_x86_64.whl" },
    { what: "another system", file: "x-1-cp39-cp39-win_amd64.whl" },
    { what: "threads without a lock", file: "x-1-cp39-cp39t-manylinux2014_x86_64.whl" },
    { what: "Python 2", file: "x-1-py2-none-any.whl" },
    { what: "a build from source", file: "x-1.tar.gz" },
  ])("takes nothing that is for $what", ({ file }) => {
    expect(chooseWheel([file], "3.9", 17)).toBeUndefined();
  });
});
