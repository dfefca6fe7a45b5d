/**
 * The settings that bound a wait, in seconds, with what Pulumi.yaml gives them where a stack file is silent, and
 * migrations.ts where a state is.
 */
export const TIME_LIMITS = {
  uploadTimeoutSeconds: 3600,
  deployTimeoutSeconds: 3600,
  undeployTimeoutSeconds: 1800,
  deleteTimeoutSeconds: 1800,
} as const;

export type TimeLimitSetting = keyof typeof TIME_LIMITS;

/** How long one operation is awaited, and what decides that. */
export interface TimeLimit {
  readonly setting: TimeLimitSetting;
  readonly seconds: number;
  /**
   * Whether it comes from the state, where the last `up` wrote it: Pulumi hands the current settings to nothing that is
   * deleted.
   */
  readonly isRecorded: boolean;
}

/** The limit as the program gives it. */
export function declaredLimit<Setting extends TimeLimitSetting>(
  inputs: { readonly [Key in Setting]: number },
  setting: Setting,
): TimeLimit {
  return { setting, seconds: inputs[setting], isRecorded: false };
}

/** The limit as the state has it. */
export function recordedLimit<Setting extends TimeLimitSetting>(
  recorded: { readonly [Key in Setting]: number },
  setting: Setting,
): TimeLimit {
  return { setting, seconds: recorded[setting], isRecorded: true };
}
