import os
from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from network import Network


class Rows(MLModel):
    async def load(self) -> bool:
        self.network = Network(Path(os.environ["BENCH_FILES"]))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        found = self.network.probabilities(NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32, copy=False))
        outputs = [
            NumpyCodec.encode_output("digit", found.argmax(axis=1)),
            NumpyCodec.encode_output("probabilities", found),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
