"""A tensor in JSON, or its bytes in base64: MLServer's REST takes no binary tensors."""

import network
import numpy as np
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Image(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        image = payload.inputs[0]
        if image.datatype == "BYTES":
            images = np.frombuffer(Base64Codec.decode_input(image)[0], np.float32).reshape(1, *network.SHAPE)
        else:
            images = NumpyCodec.decode_input(image)
        output = NumpyCodec.encode_output("means", network.means(images))
        return InferenceResponse(model_name=self.name, outputs=[output])
