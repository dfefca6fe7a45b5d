/** The tags of a wheel's file name: NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl, each a list with dots. */
interface Tags {
  readonly pythons: readonly string[];
  readonly abis: readonly string[];
  readonly platforms: readonly string[];
}

/** How far a wheel reaches: the same file for every Python is packed once. */
const PURE = 0;
const STABLE_ABI = 1;
const ONE_PYTHON = 2;

/**
 * The wheel of a release for one Python on Linux x86_64: pure before stable ABI before that Python's own, and of these the
 * one for the most Pythons. Undefined when none fits.
 *
 * @param files file names of one release.
 * @param python "3.9"
 * @param glibc the oldest C library that it has to run on: 17 for 2.17.
 */
export function chooseWheel(
  files: readonly string[],
  python: string,
  glibc: number,
): string | undefined {
  const fitting = files.flatMap((file) => {
    const rank = rankOf(file, python, glibc);
    return rank === undefined ? [] : [{ file, rank }];
  });
  fitting.sort((a, b) => compare(a.rank, b.rank) || (a.file < b.file ? -1 : 1));
  return fitting[0]?.file;
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

/** Smaller is better; undefined for a wheel that does not fit. */
function rankOf(file: string, python: string, glibc: number): readonly number[] | undefined {
  const tags = tagsOf(file);
  if (tags === undefined) return undefined;
  const minor = Number(python.split(".")[1]);
  const isAny = tags.platforms.includes("any");
  const oldest = isAny ? 0 : Math.min(...tags.platforms.map(glibcOf));
  if (oldest > glibc) return undefined;
  if (tags.abis.includes("none") && tags.pythons.includes("py3")) {
    return isAny ? [PURE, 0, 0] : [STABLE_ABI, 0, -oldest];
  }
  if (tags.abis.includes("abi3")) {
    const since = Math.min(...tags.pythons.map(minorOf));
    return since <= minor ? [STABLE_ABI, since, -oldest] : undefined;
  }
  const own = `cp3${minor}`;
  return tags.pythons.includes(own) && tags.abis.includes(own)
    ? [ONE_PYTHON, 0, -oldest]
    : undefined;
}

function tagsOf(file: string): Tags | undefined {
  const parts = file.replace(/\.whl$/, "").split("-");
  if (!file.endsWith(".whl") || parts.length < 5) return undefined;
  const [pythons = [], abis = [], platforms = []] = parts.slice(-3).map((part) => part.split("."));
  return { pythons, abis, platforms };
}

/** manylinux1, 2010 and 2014 are the older names of glibc 2.5, 2.12 and 2.17. */
const OLDER_NAMES: Readonly<Record<string, number>> = { "1": 5, "2010": 12, "2014": 17 };

/** Minor version of the C library that a platform tag asks for; infinite for other machines and C libraries. */
function glibcOf(platform: string): number {
  const [, older, minor] = /^manylinux(1|2010|2014|_2_(\d+))_x86_64$/.exec(platform) ?? [];
  if (older === undefined) return Infinity;
  return minor === undefined ? (OLDER_NAMES[older] ?? Infinity) : Number(minor);
}

function minorOf(python: string): number {
  return Number(/^cp3(\d+)$/.exec(python)?.[1] ?? Infinity);
}
