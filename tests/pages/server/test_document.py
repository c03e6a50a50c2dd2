"""What a browser loads first has our styles in it; everything else is left as it is."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from pages.server.document import Document

PAGE = "<html><head></head><body>A page.</body></html>"


@pytest.fixture
def ask(tmp_path):
    """Ask for an address as a browser does: status, headers and body of the answer."""
    (tmp_path / "index.html").write_text(PAGE)
    app = Document(
        Starlette(
            routes=[
                Route("/data", lambda request: JSONResponse("</body>")),
                Route("/{page}", lambda request: FileResponse(tmp_path / "index.html")),
            ]
        ),
        elements=lambda query: f"<i>{query}</i>",
    )

    def ask(path, query="", accept="text/html,*/*", **headers):
        messages = []

        async def receive():
            # Nobody hangs up.
            await asyncio.Event().wait()

        async def send(message):
            messages.append(message)

        sent = {"accept": accept} | {name.replace("_", "-"): text for name, text in headers.items()}
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), text.encode()) for name, text in sent.items()],
            "root_path": "",
            "scheme": "http",
            "server": ("localhost", 80),
        }
        asyncio.run(app(scope, receive, send))
        start, *parts = messages
        body = b"".join(part.get("body", b"") for part in parts)
        found = {name.decode(): text.decode() for name, text in start["headers"]}
        return start["status"], found, body.decode()

    return ask


def test_a_document_gets_elements_at_the_end_of_its_body(ask):
    status, headers, body = ask("/train", "presenter=on")
    assert status == 200
    assert body == PAGE.replace("</body>", "<i>{'presenter': ['on']}</i></body>")
    assert int(headers["content-length"]) == len(body)


def test_a_document_is_never_taken_for_the_one_of_another_version(ask):
    _, headers, _ = ask("/train")
    assert not {"etag", "last-modified"} & headers.keys()
    status, _, body = ask("/train", if_modified_since="Mon, 01 Jan 2046 00:00:00 GMT")
    assert status == 200
    assert "<i>" in body


def test_other_answers_pass_unchanged(ask):
    assert ask("/data")[2] == '"</body>"'
    assert ask("/train", accept="*/*")[2] == PAGE
