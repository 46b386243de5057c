"""`GET /v1/model`: what is served, and exactly which files."""

from __future__ import annotations

from modelship_service.http.request import Request
from modelship_service.http.response import Response, json_response
from modelship_service.service import Service


async def model(service: Service, request: Request) -> Response:
    served = service.api(request.path.split("/", 2)[1])
    files = await service.file_digests()
    return json_response({**served.card, "files": files, "example": served.example})
