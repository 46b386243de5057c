import os
from pathlib import Path

import litserve
import numpy as np
from network import Network

BATCH = int(os.environ["BENCH_BATCH"])


class Rows(litserve.LitAPI):
    def setup(self, device):
        self.network = Network(Path(os.environ["BENCH_FILES"]))

    def decode_request(self, request):
        return np.array(request["features"], np.float32)

    def predict(self, rows):
        return self.network.probabilities(rows if BATCH > 1 else rows[None])

    def encode_response(self, found):
        found = found.reshape(-1)
        return {"digit": int(found.argmax()), "probabilities": found.tolist()}


if __name__ == "__main__":
    api = Rows(max_batch_size=BATCH, batch_timeout=0.002 if BATCH > 1 else 0.0)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
