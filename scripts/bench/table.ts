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

/** Three digits that say something, and no more than three behind the point: "0.041", "4.12", "41.2", "412", "4120". */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  const decimals = [100, 10, 1].filter((limit) => size < limit).length;
  return value.toFixed(decimals);
}

/** "0.850x (0.802-0.911)": the median of a ratio, and its lowest and highest round. */
export function formatRatio({ median, low, high }: Spread): string {
  return `${formatNumber(median)}x (${formatNumber(low)}-${formatNumber(high)})`;
}
