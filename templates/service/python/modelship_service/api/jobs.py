"""`/v1/jobs`: work that takes longer than a request may."""

from __future__ import annotations

import asyncio

from modelship_service.errors import ApiError
from modelship_service.http.deadline import Deadline
from modelship_service.http.request import Request
from modelship_service.http.response import Response, json_response
from modelship_service.jobs import Job
from modelship_service.schema.schema import Decoded, Outputs
from modelship_service.service import Served, Service


async def start(service: Service, request: Request) -> Response:
    if service.state == "draining":
        raise service.not_ready()
    served = service.api(request.path.split("/", 2)[1])
    if served.schema.streams:
        raise ApiError(400, "bad_request", "a model that streams has no jobs: ask /predict")
    decoded = served.schema.decode(await request.json())
    request.rows = decoded.rows
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
    limit = service.settings.job_timeout_s
    try:
        with Deadline(limit):
            outputs = await _outputs(service, served, decoded, request)
        result = service.encoded(lambda: served.schema.encode(outputs, decoded), request.id)
    except TimeoutError:
        service.jobs.finish(job, "failed", error=_told(service.timed_out(limit)))
    except ApiError as error:
        service.jobs.finish(job, "failed", error=_told(error))
    except asyncio.CancelledError:
        if job.status == "queued":
            service.jobs.finish(job, "cancelled")
        raise
    else:
        service.jobs.finish(job, "succeeded", result=result)


async def _outputs(service: Service, served: Served, decoded: Decoded, request: Request) -> Outputs:
    """Batch by batch, so that requests have their turns in between; where there is no room for one, later."""
    most, limit = service.settings.batch_max_rows, service.settings.job_timeout_s
    parts = []
    for start in range(0, decoded.rows, most):
        stop = min(decoded.rows, start + most)
        part = Decoded(served.schema.slice(decoded.inputs, start, stop), stop - start, many=True)
        while True:
            try:
                parts.append(await service.predict(served, part, request, limit))
                break
            except ApiError as error:
                if error.code != "overloaded":
                    raise
                pause_s = float(dict(error.headers)["retry-after"])
            await asyncio.sleep(pause_s)
    return parts[0] if len(parts) == 1 else served.schema.merge(parts)


def _told(error: ApiError) -> dict[str, str]:
    return {"code": error.code, "message": error.message}
