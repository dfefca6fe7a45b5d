import type { CheckFailure } from "../resource-type.ts";
import { UNKNOWN, isEmpty, isRecord } from "../resource-type.ts";

/** Conditions by the Pulumi name, with the name of the field in Google's document. */
const CONDITIONS: Readonly<Record<string, string>> = {
  age: "age",
  createdBefore: "createdBefore",
  customTimeBefore: "customTimeBefore",
  daysSinceCustomTime: "daysSinceCustomTime",
  daysSinceNoncurrentTime: "daysSinceNoncurrentTime",
  matchesPrefixes: "matchesPrefix",
  matchesStorageClasses: "matchesStorageClass",
  matchesSuffixes: "matchesSuffix",
  noncurrentTimeBefore: "noncurrentTimeBefore",
  numNewerVersions: "numNewerVersions",
};
const IS_LIVE: Readonly<Record<string, boolean>> = { LIVE: true, ARCHIVED: false };

/** The input and output lifecycleRules of a bucket. */
export const LIFECYCLE_RULES = {
  /** Refuses conditions that are not served. */
  check(value: unknown): CheckFailure[] {
    return toRules(value).flatMap((rule, index) =>
      Object.keys(isRecord(rule.condition) ? rule.condition : {})
        .filter((name) => !(name in CONDITIONS) && name !== "withState")
        .map((name) => ({
          property: `lifecycleRules[${index}].condition.${name}`,
          reason: `the local gcp plugin does not serve this condition. Install the official plugin to use it.`,
        })),
    );
  },

  /** The `lifecycle` field of the bucket document. */
  toField(value: unknown): Record<string, unknown> {
    return {
      rule: toRules(value).map(({ action, condition }) => ({
        action,
        condition: toGoogle(condition),
      })),
    };
  },

  toOutput(lifecycle: Record<string, unknown>): Record<string, unknown>[] {
    return toRules(lifecycle.rule).map(({ action, condition }) => ({
      action,
      condition: fromGoogle(condition),
    }));
  },

  /** Rules without members that say nothing: an empty list, state "ANY". */
  comparable(value: unknown): unknown {
    if (value === UNKNOWN) return value;
    return toRules(value).map(({ action, condition }) => ({
      action,
      condition: fromGoogle(toGoogle(condition)),
    }));
  },
};

function toRules(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function toGoogle(condition: unknown): Record<string, unknown> {
  if (!isRecord(condition)) return {};
  const fields = Object.entries(CONDITIONS)
    .filter(([name]) => !isEmpty(condition[name]))
    .map(([name, field]) => [field, condition[name]]);
  const isLive = IS_LIVE[String(condition.withState)];
  return { ...Object.fromEntries(fields), ...(isLive !== undefined && { isLive }) } as Record<
    string,
    unknown
  >;
}

function fromGoogle(condition: unknown): Record<string, unknown> {
  if (!isRecord(condition)) return {};
  const members = Object.entries(CONDITIONS)
    .filter(([, field]) => condition[field] !== undefined)
    .map(([name, field]) => [name, condition[field]]);
  const withState =
    Object.keys(IS_LIVE).find((state) => IS_LIVE[state] === condition.isLive) ?? "ANY";
  return { ...Object.fromEntries(members), withState } as Record<string, unknown>;
}
