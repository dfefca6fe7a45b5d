import { describe, expect, it } from "@jest/globals";
import { ACCELERATORS, MACHINES } from "../../components/machine-catalog.ts";
import {
  ACCELERATORS_BY_MACHINE,
  REGIONS_BY_ACCELERATOR,
} from "../../emulator/vertex/machine-table.ts";

// The emulator knows nothing of the product, so each has a table of its own, typed from the same pages.
describe("machine catalog and the emulator's machine table", () => {
  it.each(Object.keys(MACHINES))("agree on the accelerators of %s", (machine) => {
    const offers = (ACCELERATORS_BY_MACHINE.get(machine) ?? []).map(
      ({ accelerator, counts }) => [accelerator, counts] as const,
    );

    expect(Object.fromEntries(offers)).toEqual(MACHINES[machine]?.accelerators);
  });

  it.each(Object.keys(ACCELERATORS))("agree on the regions of %s", (accelerator) => {
    expect([...(REGIONS_BY_ACCELERATOR[accelerator] ?? [])].sort()).toEqual(
      [...(ACCELERATORS[accelerator]?.regions ?? [])].sort(),
    );
  });

  it("differ only in what the catalog leaves out: machines that this stack can't fill", () => {
    const left = [...ACCELERATORS_BY_MACHINE.keys()].filter((machine) => !(machine in MACHINES));

    expect(left).toEqual(["a3-megagpu-8g", "a4x-highgpu-4g"]);
  });
});
