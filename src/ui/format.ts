const byteUnits = ["B", "kB", "MB", "GB", "TB", "PB"];

/** `0 B`, `999 B`, `1.2 kB`, `34 MB`: powers of 1000, as Docker prints sizes; at most three digits. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (unit < byteUnits.length - 1 && Math.round(value) >= 1000) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? value.toFixed(1) : String(Math.round(value));
  return `${digits} ${byteUnits[unit]}`;
}

/** `34 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** `0.3s`, `12s`, `2m 05s`, `1h 02m`. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m ${pad(whole % 60)}s`;
  return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
}

/** `36%`; 100 only when all of it is there. */
export function formatPercent(current: number, total: number): string {
  if (total <= 0 || current >= total) return "100%";
  return `${Math.min(99, Math.floor((current / total) * 100))}%`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
