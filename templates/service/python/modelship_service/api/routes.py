"""All the routes of the service, in one list."""

from __future__ import annotations

from modelship_service.api import card, jobs, predict, probes
from modelship_service.api.oip import handlers as oip
from modelship_service.api.openai import routes as openai
from modelship_service.api.web import pages
from modelship_service.http.request import Request
from modelship_service.http.response import Response, json_response
from modelship_service.http.router import Handler, Route
from modelship_service.service import Service
from modelship_service.settings import Settings


async def openapi(service: Service, request: Request) -> Response:
    if not service.openapi:
        raise service.not_ready()
    return Response(200, service.openapi)


async def metrics_text(service: Service, request: Request) -> Response:
    text, content_type = await service.metrics_text()
    return Response(200, text, (), content_type)


async def index(service: Service, request: Request) -> Response:
    settings = service.settings
    shown = [f"{route.method} {route.template}" for route in routes(settings)]
    return json_response({"name": settings.name, "version": settings.version, "state": service.state, "routes": shown})


def routes(settings: Settings) -> list[Route]:
    return [
        *_pages(settings),
        Route("GET", "/openapi.json", openapi),
        Route("GET", "/metrics", metrics_text, scope="metrics"),
        Route("GET", "/healthz", probes.live, scope=None),
        Route("GET", "/startupz", probes.started, scope=None),
        Route("GET", "/readyz", probes.ready, scope=None),
        *(route for api in settings.entry for route in _of_version(api)),
        *oip.ROUTES,
        *openai.ROUTES,
    ]


def _pages(settings: Settings) -> list[Route]:
    found = pages(settings.playground)
    shown = [Route("GET", path, _always(page), family="page", locked=page) for path, page in found.items()]
    return shown if settings.playground else [Route("GET", "/", index), *shown]


def _always(page: Response) -> Handler:
    async def show(service: Service, request: Request) -> Response:
        return page

    return show


def _of_version(api: str) -> list[Route]:
    return [
        Route("POST", f"/{api}/predict", predict.predict, direct=predict.predict_directly),
        Route("GET", f"/{api}/model", card.model),
        Route("POST", f"/{api}/jobs", jobs.start),
        Route("GET", f"/{api}/jobs/{{id}}", jobs.show),
        Route("DELETE", f"/{api}/jobs/{{id}}", jobs.end),
    ]
