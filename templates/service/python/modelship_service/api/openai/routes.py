"""The routes of OpenAI's API. They are there whatever the model has, and say what it has not."""

from __future__ import annotations

from modelship_service.api.openai import embeddings, generation, models
from modelship_service.http.router import Route

ROUTES = [
    Route("GET", "/v1/models", models.models, family="openai"),
    Route("GET", "/v1/models/{id}", models.model, family="openai"),
    Route("POST", "/v1/chat/completions", generation.chat, family="openai"),
    Route("POST", "/v1/completions", generation.complete, family="openai"),
    Route("POST", "/v1/embeddings", embeddings.embed, family="openai"),
]
