"""The pages for a browser: one style, one script, and a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from modelship_service.api.web import pages
from modelship_service.http.response import Response

PAGES = pages(playground=True)


def only(page: Response, element: str) -> str:
    found = re.findall(rf"<{element}\b[^>]*>(.*?)</{element}>", page.body.decode(), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_policy_names_the_one_style_and_the_one_script(path: str) -> None:
    page = PAGES[path]
    policy = dict(page.headers)["content-security-policy"]
    for element in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(only(page, element).encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert page.content_type == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_nothing_comes_from_elsewhere_and_no_text_becomes_html(path: str) -> None:
    text = PAGES[path].body.decode()
    assert not re.search(r"\s(style|on\w+)=\"", text.split("<script", 1)[0])
    assert not re.search(r"(src|href)=\"(https?:)?//", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)
    assert not re.search(r"^(import|export) ", only(PAGES[path], "script"), re.MULTILINE)


def test_without_the_playground_the_reference_does_not_lead_to_it() -> None:
    assert list(pages(playground=False)) == ["/docs"]
    assert b"Playground</a>" in PAGES["/docs"].body
    assert b"Playground</a>" not in pages(playground=False)["/docs"].body
