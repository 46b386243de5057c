import { buffer, text } from "node:stream/consumers";
import { pack } from "tar-stream";
import type { Engine } from "../../src/docker/client.js";
import { streamRequest } from "../../src/docker/request.js";
import { Label } from "../../src/image/label-names.js";

/** `host` where the engine has no bridge network. */
export const testNetwork = process.env.MODELSHIP_TEST_NETWORK || undefined;

/**
 * The contract of a service (routes, exit codes, logs) in a few lines, so that running can be tested without a build
 * and in all the ways a real model does not behave on demand. MODE chooses how.
 */
const server = `
import json, os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

mode = os.environ.get("MODE", "")
started = time.time()
print(json.dumps({"event": "starting"}), flush=True)
if mode == "dies":
    def load():
        raise ValueError("the weights are not for this model")
    try:
        load()
    except ValueError:
        import traceback
        traceback.print_exc()
        sys.exit(3)

class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        ready = mode != "never" and time.time() - started >= float(os.environ.get("SLOW", "0"))
        self.answer(200 if ready else 503, {"ready": ready})
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if mode == "bytes":
            return self.answer(200, bytes(range(256)), "application/octet-stream")
        key = os.environ.get("KEY")
        if key and self.headers.get("authorization") != "Bearer " + key:
            return self.answer(401, {"error": {"code": "unauthorized", "message": "This service needs a key.", "request_id": "r"}})
        request = json.loads(body)
        if request == {"crash": True}:
            print("Traceback (most recent call last):", "RuntimeError: gave up", sep="\\n", file=sys.stderr, flush=True)
            os._exit(1)
        if "rows" not in request:
            return self.answer(422, {"error": {"code": "invalid_input", "message": "The request does not fit.",
                "details": [{"path": "rows", "message": "is missing"}], "request_id": "r-7"}})
        print(json.dumps({"event": "predicted"}), flush=True)
        print("warned", file=sys.stderr, flush=True)
        names = sorted(os.environ)
        can_write = []
        for folder in ("/app", "/tmp"):
            try:
                open(folder + "/x", "w").close()
                can_write.append(folder)
            except OSError:
                pass
        files = os.environ.get("MODELSHIP_FILES", "")
        read = open(files + "/weights.txt").read() if os.path.exists(files + "/weights.txt") else None
        self.answer(200, {"rows": len(request["rows"]), "environment": {n: os.environ[n] for n in names if n.startswith("TEST_")},
            "arguments": sys.argv[1:], "writable": can_write, "weights": read, "user": os.getuid()})
    def log_message(self, *args):
        pass

listening = ThreadingHTTPServer((os.environ["MODELSHIP_HOST"], int(os.environ["MODELSHIP_PORT"])), Handler)
def stop(*_):
    print(json.dumps({"event": "drained"}), flush=True)
    threading.Thread(target=listening.shutdown).start()
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, stop)
listening.serve_forever()
`;

/** Builds an image of the fake service; `labels` change those of a modelship image, `null` removes one. */
export async function buildFakeService(
  engine: Engine,
  tag: string,
  labels: Readonly<Record<string, string | null>> = {},
): Promise<void> {
  const all: Record<string, string | null> = {
    [Label.name]: "fake",
    [Label.version]: "1.0.0",
    [Label.weights]: "baked",
    [Label.files]: "/app/model",
    [Label.port]: "8080",
    [Label.accelerator]: "cpu",
    ...labels,
  };
  const base = process.env.MODELSHIP_IMAGE_BASE ?? "modelship.local/python:3.11";
  const lines = [
    `FROM ${base}`,
    "COPY server.py /app/server.py",
    ...Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`LABEL ${name}="${value}"`])),
    "WORKDIR /app",
    "USER 10001:10001",
    'ENTRYPOINT ["python3", "/app/server.py"]',
  ];
  const context = pack();
  context.entry({ name: "Dockerfile", mode: 0o644 }, `${lines.join("\n")}\n`);
  context.entry({ name: "server.py", mode: 0o644 }, server);
  context.finalize();
  const answer = await streamRequest(engine.docker, {
    method: "POST",
    path: "/build",
    query: { t: tag, rm: "1", forcerm: "1" },
    file: await buffer(context),
    headers: { "content-type": "application/x-tar" },
  });
  const said = await text(answer);
  if (/"error(Detail)?"/.test(said)) throw new Error(said);
}
