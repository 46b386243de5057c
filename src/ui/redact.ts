const patterns: readonly [RegExp, string][] = [
  // https://user:password@host and https://token@host
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@'"]+@/gi, "$1***@"],
  [/\b((?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:basic|bearer)\s+)[^\s"',]+/gi, "$1***"],
  [/\b(bearer\s+)[A-Za-z0-9._~+/-]{16,}=*/gi, "$1***"],
  [/\b(x-registry-(?:auth|config)["']?\s*[:=]\s*["']?)[^\s"',]+/gi, "$1***"],
];

/**
 * The last guard of everything that goes to stderr or into an error: texts of other programs can carry a
 * credential in a URL or a header. Our own code never puts one there.
 */
export function redact(text: string): string {
  let safe = text;
  for (const [pattern, replacement] of patterns) safe = safe.replace(pattern, replacement);
  return safe;
}
