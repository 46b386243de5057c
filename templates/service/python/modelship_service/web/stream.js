// Server-sent events over fetch, which unlike EventSource can send a body and a key.

/** `{event, data}` as they come; comments, which keep the connection alive, are left out. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let [rest, event, data] = ["", "", []];
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += value;
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0 || event) yield { event: event || "message", data: data.join("\n") };
          [event, data] = ["", []];
          continue;
        }
        const [, name, text] = /^([^:]*):? ?(.*)$/s.exec(line);
        if (name === "data") data.push(text);
        else if (name === "event") event = text;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
