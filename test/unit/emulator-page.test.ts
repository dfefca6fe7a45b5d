import { describe, expect, it } from "@jest/globals";
import { formatBytes, formatDuration, formatTime } from "../../emulator/page/format.ts";
import { html } from "../../emulator/page/html.ts";
import { artifactLink, bucketPath, logPath } from "../../emulator/page/links.ts";

describe("the html template", () => {
  it.each([
    { name: "<script>alert(1)</script>", escaped: "&lt;script&gt;alert(1)&lt;/script&gt;" },
    { name: `" onmouseover="x`, escaped: "&quot; onmouseover=&quot;x" },
    { name: "' autofocus onfocus='x", escaped: "&#39; autofocus onfocus=&#39;x" },
    { name: "&lt;b&gt;", escaped: "&amp;lt;b&amp;gt;" },
    { name: "</title><svg onload=x>", escaped: "&lt;/title&gt;&lt;svg onload=x&gt;" },
  ])("escapes $name in text and in attributes", ({ name, escaped }) => {
    const page = html`<a title="${name}">${name}</a>`.toString();

    expect(page).toBe(`<a title="${escaped}">${escaped}</a>`);
  });

  it("leaves markup of another template as it is, also in lists, and escapes what is in it once", () => {
    const rows = ["a & b", "<c>"].map((name) => html`<li>${name}</li>`);

    expect(html`${rows}${undefined}${["<", 1]}`.toString()).toBe(
      "<li>a &amp; b</li><li>&lt;c&gt;</li>&lt;1",
    );
  });

  it("keeps backslashes and dollar signs of values", () => {
    expect(html`${"\\n $1 $'"}`.toString()).toBe("\\n $1 $&#39;");
  });
});

describe("links of the page", () => {
  it.each([
    { path: bucketPath("a/../b"), expected: "/_emulator/page/buckets/a%2F..%2Fb" },
    {
      path: bucketPath("b", "x&page=9"),
      expected: "/_emulator/page/buckets/b?prefix=x%26page%3D9",
    },
    { path: logPath("1-2?x#y"), expected: "/_emulator/page/logs/1-2%3Fx%23y" },
  ])("encode names: $expected", ({ path, expected }) => {
    expect(path).toBe(expected);
  });

  it("lead from a gs:// folder to its objects, and from anything else nowhere", () => {
    expect(artifactLink("gs://b/a/c").toString()).toContain(
      "/_emulator/page/buckets/b?prefix=a%2Fc",
    );
    expect(artifactLink("javascript:alert(1)").toString()).not.toContain("href");
  });
});

describe("numbers on the page", () => {
  it.each([
    { ms: 0, text: "0 ms" },
    { ms: 999, text: "999 ms" },
    { ms: 59_999, text: "59.9 s" },
    { ms: 185_000, text: "3 min 05 s" },
    { ms: 2 * 3_600_000 + 180_000, text: "2 h 03 min" },
    { ms: 97 * 3_600_000, text: "4 d 01 h" },
  ])("$ms ms reads $text", ({ ms, text }) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it.each([
    { bytes: 1023, text: "1023 B" },
    { bytes: 1024, text: "1.0 KiB" },
    { bytes: 4 * 1024 ** 3, text: "4.0 GiB" },
    { bytes: 5 * 1024 ** 5, text: "5120.0 TiB" },
  ])("$bytes bytes read $text", ({ bytes, text }) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it("a time of today stands without its date, another with it", () => {
    const now = new Date("2026-11-24T18:00:00Z");

    expect(formatTime("2026-11-24T03:04:05.678Z", now).toString()).toContain(">03:04:05<");
    expect(formatTime("2026-11-23T03:04:05.678Z", now).toString()).toContain(
      ">2026-11-23 03:04:05<",
    );
  });
});
