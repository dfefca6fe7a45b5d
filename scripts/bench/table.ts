import type { Spread } from "./measure.ts";

/** A column: its head, and the cell of each row. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  /** @default "right", as numbers stand */
  readonly align?: "left" | "right";
}

/** Rows under their heads, two blanks between columns, nothing behind the last. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const laid = columns.map(({ head, cell, align = "right" }) => {
    const cells = [head, ...rows.map(cell)];
    const width = Math.max(...cells.map((text) => text.length));
    return cells.map((text) => (align === "left" ? text.padEnd(width) : text.padStart(width)));
  });
  const lines = Array.from({ length: rows.length + 1 }, (_line, index) =>
    laid.map((cells) => cells[index]).join("  "),
  );
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** Three digits that say something: "0.412", "4.12", "41.2", "412", "4120". */
export function formatNumber(value: number): string {
  const whole = Math.max(1, Math.floor(Math.log10(Math.abs(value) || 1)) + 1);
  return value.toFixed(Math.max(0, 3 - whole));
}

/** "0.85x (0.80-0.91)": the median of a ratio, and its lowest and highest round. */
export function formatRatio({ median, low, high }: Spread): string {
  return `${formatNumber(median)}x (${formatNumber(low)}-${formatNumber(high)})`;
}
