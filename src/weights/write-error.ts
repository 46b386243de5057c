import { messageOf, systemCode, UserError } from "../errors.js";

/** Why a file could not be written, in the user's terms; what is none of the system's errors passes through. */
export function writeError(error: unknown, file: string): unknown {
  const code = systemCode(error);
  if (code === undefined || !isOfTheSystem(code)) return error;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return new UserError("disk_full", `There is no room left for ${file}.`, {
        why: "The disk, or this account's share of it, is full.",
        hint: "Make room, or choose a folder on another disk.",
        cause: error,
      });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new UserError("file_failed", `${file} cannot be written.`, {
        why: "This account may not write there.",
        hint: "Choose another folder, or change its permissions.",
        cause: error,
      });
    default:
      return new UserError("file_failed", `${file} cannot be written.`, {
        why: messageOf(error),
        cause: error,
      });
  }
}

/** `ENOSPC` and its like; libraries have codes of their own. */
function isOfTheSystem(code: string): boolean {
  return /^E[A-Z0-9]+$/.test(code);
}
