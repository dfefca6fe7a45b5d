import { describeVersions } from "../../providers/pin.ts";
import type { ServedVersion } from "../../providers/pin.ts";
import { UserError } from "../toolchain/user-error.ts";

/** The newest version that gets requests; undefined when none does. */
export function servingVersion(versions: readonly ServedVersion[]): ServedVersion | undefined {
  return newestFirst(versions).find(({ traffic }) => traffic > 0);
}

/**
 * The version to go back to: the one that bears the alias, else the newest below the one that serves. Where old and new
 * share the requests that is the old one, also when the run that moves the alias `live` never came to its end.
 */
export function rollbackTarget(
  versions: readonly ServedVersion[],
  to: string | undefined,
): ServedVersion {
  if (to !== undefined) {
    const named = versions.find(({ alias }) => alias === to);
    if (named !== undefined) return named;
    throw new UserError(`No version bears the alias "${to}". ${choiceOf(versions)}`);
  }
  const serving = servingVersion(versions);
  if (serving === undefined) {
    throw new UserError(
      `No version gets requests, so there is none before it. Name one with "--to". ${choiceOf(versions)}`,
    );
  }
  const before = newestFirst(versions).find((version) => numberOf(version) < numberOf(serving));
  if (before !== undefined) return before;
  throw new UserError(
    `No version is older than version ${serving.versionId}, which serves. ${choiceOf(versions)}`,
  );
}

/** One line a version, the newest first: number, alias, what it serves, and which one is the target. */
export function formatVersions(versions: readonly ServedVersion[], target: ServedVersion): string {
  const lines = newestFirst(versions).map((version) => {
    const { versionId, alias, traffic } = version;
    const notes = [
      ...(traffic > 0 ? [`${traffic} % of the requests`] : []),
      ...(version === target ? ["<- to be pinned"] : []),
    ];
    return `  version ${versionId.padEnd(4)} ${alias}  ${notes.join("  ")}`.trimEnd();
  });
  return `${lines.join("\n")}\n`;
}

function choiceOf(versions: readonly ServedVersion[]): string {
  return describeVersions(newestFirst(versions));
}

function newestFirst(versions: readonly ServedVersion[]): ServedVersion[] {
  return [...versions].sort((a, b) => numberOf(b) - numberOf(a));
}

function numberOf({ versionId }: ServedVersion): number {
  return Number(versionId);
}
