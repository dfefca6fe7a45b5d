import { ApiError } from "../errors.ts";

/** Checks a mask that is already in camelCase. Throws INVALID_ARGUMENT when it is empty or names what can't be changed. */
export function readMask(
  mask: string | undefined,
  changeable: readonly string[],
  what: string,
): string[] {
  const paths = (mask ?? "").split(",").filter((path) => path !== "");
  if (paths.length === 0) {
    throw new ApiError("INVALID_ARGUMENT", `update_mask is required to update ${what}.`);
  }
  const fixed = paths.find((path) => !changeable.includes(path));
  if (fixed !== undefined) {
    throw new ApiError(
      "INVALID_ARGUMENT",
      `Field "${fixed}" of ${what} can't be updated: update_mask may name ${changeable.join(", ")}.`,
    );
  }
  return paths;
}
