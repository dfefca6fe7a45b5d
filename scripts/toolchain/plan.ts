/** What getting one tool ready takes, said before anything is downloaded. */
export interface Plan {
  /** The tool with its version: "Pulumi CLI 3.259.0". */
  readonly what: string;
  /** Where it comes from: "found in /usr/local/bin", "built from Go modules". */
  readonly how: string;
  /** What it still costs; null when the tool is ready. */
  readonly cost: Cost | null;
}

/** What a plan downloads, keeps and takes. All rounded: they are for people. */
export interface Cost {
  readonly downloadMb: number;
  readonly diskMb: number;
  /** On two cores and a good line. */
  readonly minutes: number;
}

/** The lines that announce what is about to happen; none when everything is ready. */
export function describePlans(plans: readonly Plan[], cache: string): string[] {
  const missing = plans.filter((plan) => plan.cost !== null);
  if (missing.length === 0) {
    return [];
  }
  const total = sum(missing.map((plan) => plan.cost ?? NOTHING));
  return [
    `To get ready, once on this machine: about ${formatSize(total.downloadMb)} to download, ` +
      `${formatMinutes(total.minutes)}, ${formatSize(total.diskMb)} kept in ${cache}.`,
    ...missing.map((plan) => `  - ${describePlan(plan)}`),
  ];
}

/** One plan as one line. */
export function describePlan({ what, how, cost }: Plan): string {
  return cost === null
    ? `${what}: ${how}`
    : `${what}: ${how} (about ${formatSize(cost.downloadMb)} to download, ${formatMinutes(cost.minutes)})`;
}

const NOTHING: Cost = { downloadMb: 0, diskMb: 0, minutes: 0 };

function sum(costs: readonly Cost[]): Cost {
  return costs.reduce((total, cost) => ({
    downloadMb: total.downloadMb + cost.downloadMb,
    diskMb: total.diskMb + cost.diskMb,
    minutes: total.minutes + cost.minutes,
  }));
}

/** "350 MB", "5.1 GB". */
export function formatSize(mb: number): string {
  return mb < 1_000 ? `${Math.round(mb)} MB` : `${(mb / 1_000).toFixed(1)} GB`;
}

function formatMinutes(minutes: number): string {
  const whole = Math.max(1, Math.round(minutes));
  return whole === 1 ? "1 minute" : `${whole} minutes`;
}
