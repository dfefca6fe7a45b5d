/** What is under way when the kill comes. */
export type Phase = "create" | "rollout" | "destroy";

/** Who is killed, and how: kill -9 of one process, or Ctrl-C once or twice. */
export type Kill = "CLI" | "provider" | "language host" | "Ctrl-C" | "Ctrl-C twice";

/** The moment of the kill: a call that has not been answered, or an operation that runs. */
export interface KillPoint {
  readonly phase: Phase;
  /** As a fault names it. */
  readonly method: string;
  /** "before" its work, "after" it with the answer still to come, or while the operation that it started is "running". */
  readonly when: "before" | "after" | "running";
  readonly kill: Kill;
}

type Moment = readonly [method: string, ...when: KillPoint["when"][]];

/** Every changing call of a first up, in order. */
const CREATE: readonly Moment[] = [
  ["storage.buckets.insert", "before", "after"],
  ["storage.objects.insert", "before", "after"],
  ["EndpointService.CreateEndpoint", "before", "after", "running"],
  ["ModelService.UploadModel", "before", "after", "running"],
  ["EndpointService.DeployModel", "before", "after", "running"],
  ["ModelService.MergeVersionAliases", "before", "after"],
];

/** Of an up that changes archive and machine and keeps one version. */
const ROLLOUT: readonly Moment[] = [
  ["storage.objects.insert", "before", "after"],
  ["ModelService.UploadModel", "before", "after", "running"],
  ["EndpointService.DeployModel", "before", "after", "running"],
  ["EndpointService.UpdateEndpoint", "before", "after"],
  ["EndpointService.UndeployModel", "before", "after", "running"],
  ["ModelService.MergeVersionAliases", "before", "after"],
  ["ModelService.DeleteModelVersion", "before", "after", "running"],
  ["storage.objects.delete", "before", "after"],
];

const DESTROY: readonly Moment[] = [
  ["EndpointService.UndeployModel", "before", "after", "running"],
  ["ModelService.DeleteModel", "before", "after", "running"],
  ["EndpointService.DeleteEndpoint", "before", "after", "running"],
  ["storage.objects.delete", "before", "after"],
  ["storage.buckets.delete", "before", "after"],
];

/** The moments at which every kind of kill is tried: one of each phase. */
const HEART: readonly Omit<KillPoint, "kill">[] = [
  { phase: "create", method: "EndpointService.DeployModel", when: "running" },
  { phase: "rollout", method: "EndpointService.DeployModel", when: "running" },
  { phase: "rollout", method: "EndpointService.UpdateEndpoint", when: "after" },
  { phase: "destroy", method: "EndpointService.UndeployModel", when: "running" },
];

const OTHER_KILLS: readonly Kill[] = ["provider", "language host", "Ctrl-C", "Ctrl-C twice"];

/** kill -9 of the CLI at every moment of every phase, and every other kill at the heart of each. */
export const KILL_POINTS: readonly KillPoint[] = [
  ...momentsOf("create", CREATE),
  ...momentsOf("rollout", ROLLOUT),
  ...momentsOf("destroy", DESTROY),
  ...HEART.flatMap((moment) => OTHER_KILLS.map((kill) => ({ ...moment, kill }))),
];

function momentsOf(phase: Phase, moments: readonly Moment[]): KillPoint[] {
  return moments.flatMap(([method, ...whens]) =>
    whens.map((when) => ({ phase, method, when, kill: "CLI" as const })),
  );
}

/** "rollout: kill -9 of the CLI after DeployModel" */
export function titleOf({ phase, method, when, kill }: KillPoint): string {
  const moment = when === "running" ? `while ${method} runs` : `${when} ${method}'s work`;
  const how = kill.startsWith("Ctrl-C") ? kill : `kill -9 of the ${kill}`;
  return `${phase}: ${how} ${moment}`;
}
