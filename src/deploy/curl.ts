export interface CurlExample {
  url: string;
  /** File with a request, as the user's shell would name it. */
  file: string;
  /** The service asks for a key. */
  key: boolean;
}

/** A line to copy: the first request to a new service. */
export function curlLine({ url, file, key }: CurlExample): string {
  return [
    `curl ${url}/v1/predict`,
    `-H "content-type: application/json"`,
    ...(key ? [`-H "authorization: Bearer $MODELSHIP_API_KEY"`] : []),
    `-d ${/^[\w./\\:-]+$/.test(file) ? `@${file}` : `"@${file.replace(/["$`\\]/g, "\\$&")}"`}`,
  ].join(" ");
}
