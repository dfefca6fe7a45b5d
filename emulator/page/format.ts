import { html } from "./html.ts";
import type { Markup } from "./html.ts";

const UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** "1,234" */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** "1 object", "2 objects" */
export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** "512 B", "1.5 KiB", "3.9 GiB" */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let size = bytes / 1024;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size.toFixed(1)} ${UNITS[unit]}`;
}

/** "312 ms", "4.2 s", "3 min 05 s", "2 h 03 min", "4 d 01 h" */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes} min ${twoDigits(Math.floor(ms / 1000) % 60)} s`;
  if (hours < 24) return `${hours} h ${twoDigits(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${twoDigits(hours % 24)} h`;
}

/** The time of an RFC 3339 timestamp, in UTC, with the date unless it is that of `now`. */
export function formatTime(timestamp: string, now: Date): Markup {
  const time = new Date(timestamp);
  if (Number.isNaN(time.getTime())) return html`${timestamp}`;
  const [date = "", clock = ""] = time.toISOString().split("T");
  const isToday = now.toISOString().startsWith(date);
  const short = clock.slice(0, "00:00:00".length);
  return html`<time datetime="${timestamp}" title="${timestamp}"
    >${isToday ? short : `${date} ${short}`}</time
  >`;
}

/** The last part of a resource name: "sd" of "projects/1/locations/us-central1/models/sd". */
export function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}
