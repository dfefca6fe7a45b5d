import { ACCELERATORS, MACHINES } from "./machine-catalog.ts";

/** What one replica runs on, as a stack file names it. */
export interface MachineChoice {
  readonly machineType: string;
  readonly acceleratorType: string;
  readonly acceleratorCount: number;
  /** Region, "us-central1". */
  readonly region: string;
}

/** One thing that is wrong with a setting, and the way out. */
export interface Problem {
  /** Setting without its namespace: "machineType". */
  readonly setting: string;
  readonly reason: string;
}

/** Refuses what Vertex AI does not offer, each time with the nearest that it does. Empty: all is offered. */
export function checkMachine(choice: MachineChoice): Problem[] {
  const { machineType, acceleratorType, acceleratorCount, region } = choice;
  const accelerator = ACCELERATORS[acceleratorType];
  if (accelerator === undefined) {
    const near = nearest(acceleratorType, Object.keys(ACCELERATORS));
    return [
      {
        setting: "acceleratorType",
        reason: `"${acceleratorType}" is not an accelerator that Vertex AI serves with. Nearest: ${near}.`,
      },
    ];
  }
  const machine = MACHINES[machineType];
  if (machine === undefined) {
    const fitting = machinesFor(acceleratorType);
    return [
      {
        setting: "machineType",
        reason: `"${machineType}" is not a machine type that Vertex AI offers with accelerators. Nearest for ${acceleratorType}: ${nearest(machineType, fitting)}.`,
      },
    ];
  }
  const problems: Problem[] = [];
  const counts = machine.accelerators[acceleratorType];
  if (counts === undefined) {
    const own = Object.keys(machine.accelerators).join(", ");
    const fitting = nearest(machineType, machinesFor(acceleratorType));
    problems.push({
      setting: "acceleratorType",
      reason: `"${acceleratorType}" does not fit machineType "${machineType}", which takes ${own}. Machines for ${acceleratorType}: ${fitting}.`,
    });
  } else if (!counts.includes(acceleratorCount)) {
    problems.push({
      setting: "acceleratorCount",
      reason: `${acceleratorCount} x ${acceleratorType} is not offered on "${machineType}". Offered: ${counts.join(", ")}.`,
    });
  }
  if (!accelerator.regions.includes(region)) {
    problems.push({
      setting: "gcp:region",
      reason: `${acceleratorType} does not serve in "${region}". Nearest: ${nearest(region, accelerator.regions)}.`,
    });
  }
  return problems;
}

function machinesFor(acceleratorType: string): string[] {
  return Object.entries(MACHINES).flatMap(([name, offer]) =>
    acceleratorType in offer.accelerators ? [name] : [],
  );
}

/** The three candidates that are spelt most alike, in quotes. */
function nearest(wanted: string, candidates: readonly string[]): string {
  return [...candidates]
    .sort((a, b) => likeness(wanted, b) - likeness(wanted, a) || (a < b ? -1 : 1))
    .slice(0, 3)
    .map((candidate) => `"${candidate}"`)
    .join(", ");
}

/** Share of letter pairs in common (Sørensen-Dice), 0 to 1. */
function likeness(a: string, b: string): number {
  const pairs = (text: string) =>
    Array.from({ length: Math.max(0, text.length - 1) }, (_, i) =>
      text.slice(i, i + 2).toLowerCase(),
    );
  const left = pairs(a);
  const right = pairs(b);
  const common = left.filter((pair) => right.includes(pair)).length;
  return (2 * common) / Math.max(1, left.length + right.length);
}
