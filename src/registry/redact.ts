/** Remembers what must never be shown, and takes it out of what others wrote. */
export class Redactor {
  private readonly secrets = new Set<string>();

  add(secret: string): void {
    if (secret.length < 3) return;
    this.secrets.add(secret);
    this.secrets.add(encodeURIComponent(secret));
  }

  /** One line, without secrets and without what could steer a terminal. */
  clean(text: string, longest = 300): string {
    let result = text;
    for (const secret of this.secrets) result = result.replaceAll(secret, "***");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    result = result.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
    return result.length > longest ? `${result.slice(0, longest)}...` : result;
  }
}
