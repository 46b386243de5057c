"""`/v1/jobs`: work that takes longer than a request may."""

from __future__ import annotations

import asyncio

from modelship_service.errors import ApiError
from modelship_service.http.request import Request
from modelship_service.http.response import Response, json_response
from modelship_service.jobs import Job
from modelship_service.schema.schema import Decoded
from modelship_service.service import Served, Service


async def start(service: Service, request: Request) -> Response:
    if service.state == "draining":
        raise service.not_ready()
    served = service.api(request.path.split("/", 2)[1])
    if served.schema.streams:
        raise ApiError(400, "bad_request", "a model that streams has no jobs: ask /predict")
    decoded = served.schema.decode(await request.json())
    owner = request.key.name if request.key is not None else None
    job = service.jobs.start(owner, lambda job: _work(service, served, decoded, request, job))
    return json_response(job.shown(), 202, [("location", f"/{served.api}/jobs/{job.id}")])


async def show(service: Service, request: Request) -> Response:
    return json_response(service.jobs.find(request.params["id"], request.key).shown())


async def end(service: Service, request: Request) -> Response:
    job = service.jobs.find(request.params["id"], request.key)
    service.jobs.end(job)
    return json_response(job.shown())


async def _work(service: Service, served: Served, decoded: Decoded, request: Request, job: Job) -> None:
    try:
        outputs = await service.predict(served, decoded, request, service.settings.job_timeout_s)
        result = service.encoded(lambda: served.schema.encode(outputs, decoded), request.id)
    except ApiError as error:
        told = {"code": error.code, "message": error.message}
        service.jobs.finish(job, "failed", error=told)
    except asyncio.CancelledError:
        if job.status == "queued":
            service.jobs.finish(job, "cancelled")
        raise
    else:
        service.jobs.finish(job, "succeeded", result=result)
