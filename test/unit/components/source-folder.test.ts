import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { listFolder } from "../../../components/source-folder.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "source-folder-"));
  write("code/handler.py");
  write("outside.py");
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string | Buffer, content = "x"): void {
  if (typeof path === "string") mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(typeof path === "string" ? join(root, path) : path, content);
}

function list() {
  return listFolder({ setting: "handler", root, folder: "code" }).map(({ path }) => path);
}

describe("listFolder", () => {
  it("lists files at every depth, sorted by path", () => {
    write("code/lib/b.py");
    write("code/a.py");

    expect(list()).toEqual(["a.py", "handler.py", "lib/b.py"]);
  });

  it("follows a link to what lies in the folder itself", () => {
    write("code/lib/rules.py");
    symlinkSync("lib/rules.py", join(root, "code/rules.py"));
    symlinkSync("lib", join(root, "code/more"));

    expect(list()).toEqual(["handler.py", "lib/rules.py", "more/rules.py", "rules.py"]);
  });

  it.each([
    {
      what: "a link out of the folder",
      make: () => symlinkSync("../outside.py", join(root, "code/in.py")),
      says: `the link "code/in.py" leads out of the folder. Put the file itself there: cp -L copies what links lead to.`,
    },
    {
      what: "a link to a folder whose name only begins alike",
      make: () => {
        write("code-2/a.py");
        symlinkSync("../code-2", join(root, "code/in"));
      },
      says: `the link "code/in" leads out of the folder.`,
    },
    {
      what: "a link that leads nowhere",
      make: () => symlinkSync("gone.py", join(root, "code/in.py")),
      says: `the link "code/in.py" leads nowhere. Remove it.`,
    },
    {
      what: "a link back to a folder that it is in",
      make: () => {
        mkdirSync(join(root, "code/lib"));
        symlinkSync("../lib", join(root, "code/lib/again"));
      },
      says: `the link "code/lib/again" leads back to a folder that it is in. Remove it.`,
    },
    {
      what: "a line feed in a name",
      make: () => write("code/a\\nb.py".replace("\\n", "\n")),
      says: `"code/a\\nb.py" has a character in its name that archives can't carry. Rename it.`,
    },
    {
      what: "a backslash in a name",
      make: () => write("code/a\\b.py"),
      says: `"code/a\\\\b.py" has a character in its name that archives can't carry. Rename it.`,
    },
    {
      what: "a name that is no text",
      make: () => write(Buffer.from(`${root}/code/\xff.py`, "latin1")),
      says: `has a character in its name that archives can't carry. Rename it.`,
    },
    {
      what: "a pipe",
      make: () => spawnSync("mkfifo", [join(root, "code/pipe")]),
      says: `"code/pipe" is neither a file nor a folder. Remove it.`,
    },
  ])("refuses $what", ({ make, says }) => {
    make();

    expect(list).toThrow(says);
  });
});
