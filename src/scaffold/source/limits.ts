import { UserError } from "../../errors.js";

/** What a template from elsewhere may hold: code and a small model, not a disk full of either. */
export const limits = {
  files: 500,
  fileBytes: 32 * 1024 * 1024,
  bytes: 64 * 1024 * 1024,
  seconds: 180,
} as const;

/** Counts what is taken of a template, and refuses what is too much. */
export class Allowance {
  private files = 0;
  private bytes = 0;
  private readonly place: string;

  constructor(place: string) {
    this.place = place;
  }

  take(path: string, bytes: number): void {
    this.files += 1;
    this.bytes += bytes;
    if (bytes > limits.fileBytes)
      throw this.tooMuch(`${JSON.stringify(path)} is larger than ${limits.fileBytes >> 20} MB`);
    if (this.files > limits.files) throw this.tooMuch(`it holds more than ${limits.files} files`);
    if (this.bytes > limits.bytes) throw this.tooMuch(`it holds more than ${limits.bytes >> 20} MB`);
  }

  private tooMuch(why: string): UserError {
    return new UserError("template", `${this.place} is too large for a template.`, { why: `${why}.` });
  }
}
