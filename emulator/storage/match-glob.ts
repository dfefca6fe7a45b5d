import { invalid } from "./errors.ts";

/** What one place of a pattern takes: one character, or with `repeats` any number of them. */
interface Token {
  readonly accepts: (character: string) => boolean;
  readonly repeats?: true;
}

const MAX_ALTERNATIVES = 100;
const MAX_GLOB_LENGTH = 1024;

const isNoSlash = (character: string): boolean => character !== "/";
const isAny = (): boolean => true;

/**
 * Compiles a `matchGlob` parameter: "*" (no "/"), "**", "?" (no "/"), "[a-z]", "[!a-z]" and "{a,b}"; "\" takes the next
 * character as it is. 400 where it can't be read. Time to match is the product of both lengths, whatever the pattern.
 */
export function compileGlob(glob: string): (name: string) => boolean {
  if (glob.length > MAX_GLOB_LENGTH) throw unreadable(glob);
  const patterns = expandBraces(glob, glob).map((pattern) => tokenize(pattern, glob));
  return (name) => patterns.some((tokens) => isMatch(tokens, [...name]));
}

/** "a{b,c}" is "ab" and "ac"; braces may stand inside braces. */
function expandBraces(pattern: string, glob: string): string[] {
  const open = findBrace(pattern);
  if (open < 0) return [pattern];
  const choices: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let at = open; at < pattern.length; at++) {
    const character = pattern[at];
    if (character === "\\") at++;
    else if (character === "{") depth++;
    else if (character === "," && depth === 1) {
      choices.push(pattern.slice(from, at));
      from = at + 1;
    } else if (character === "}" && --depth === 0) {
      choices.push(pattern.slice(from, at));
      const rest = pattern.slice(at + 1);
      const expanded = choices.flatMap((choice) =>
        expandBraces(pattern.slice(0, open) + choice + rest, glob),
      );
      if (expanded.length > MAX_ALTERNATIVES) throw unreadable(glob);
      return expanded;
    }
  }
  throw unreadable(glob);
}

function findBrace(pattern: string): number {
  for (let at = 0; at < pattern.length; at++) {
    if (pattern[at] === "\\") at++;
    else if (pattern[at] === "{") return at;
  }
  return -1;
}

function tokenize(pattern: string, glob: string): Token[] {
  const characters = [...pattern];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === "*") {
      const isDouble = characters[at + 1] === "*";
      if (isDouble) at++;
      tokens.push({ accepts: isDouble ? isAny : isNoSlash, repeats: true });
    } else if (character === "?") {
      tokens.push({ accepts: isNoSlash });
    } else if (character === "[") {
      const end = characters.indexOf("]", at + 2);
      if (end < 0) throw unreadable(glob);
      tokens.push({ accepts: toSet(characters.slice(at + 1, end)) });
      at = end;
    } else {
      const literal = character === "\\" ? (characters[++at] ?? "\\") : character;
      tokens.push({ accepts: (candidate) => candidate === literal });
    }
  }
  return tokens;
}

function toSet(members: string[]): Token["accepts"] {
  const isNegated = members[0] === "!" || members[0] === "^";
  const listed = isNegated ? members.slice(1) : members;
  const ranges: [string, string][] = [];
  for (let at = 0; at < listed.length; at++) {
    const isRange = listed[at + 1] === "-" && at + 2 < listed.length;
    ranges.push([listed[at]!, listed[isRange ? at + 2 : at]!]);
    if (isRange) at += 2;
  }
  return (character) =>
    character !== "/" &&
    ranges.some(([from, to]) => character >= from && character <= to) !== isNegated;
}

/** Follows every way through the pattern at once, so that no pattern can make it slow. */
function isMatch(tokens: readonly Token[], name: readonly string[]): boolean {
  let places = skipRepeats(tokens, new Set([0]));
  for (const character of name) {
    const next = new Set<number>();
    for (const place of places) {
      const token = tokens[place];
      if (token?.accepts(character)) next.add(token.repeats ? place : place + 1);
    }
    places = skipRepeats(tokens, next);
  }
  return places.has(tokens.length);
}

/** A repeating token may take nothing at all: adds the places behind it. */
function skipRepeats(tokens: readonly Token[], places: Set<number>): Set<number> {
  for (const place of places) if (tokens[place]?.repeats) places.add(place + 1);
  return places;
}

function unreadable(glob: string): Error {
  return invalid(
    `Invalid matchGlob "${glob}". Use at most ${MAX_GLOB_LENGTH} characters of *, **, ?, [a-z] and {a,b} with every bracket closed.`,
  );
}
