"""The routes. They read requests and write replies; everything else is the engine's."""

import asyncio
import html
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from secrets import token_hex
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel

import persona
from persona import logs
from persona.backends.base import ChatMessage, Done, Event, Reason, Role, TextDelta, ThinkingDelta, Usage
from persona.chat.events import TurnRequest
from persona.errors import PersonaError, SessionError
from persona.server.generation import Generation
from persona.server.guard import Guard
from persona.server.metrics import CONTENT_TYPE
from persona.server.turnstile import Refused
from persona.server.twin import BARE, NEW, Twin
from persona.server.wire import (
    ChatRequest,
    Converted,
    ConvertRequest,
    ReplyWriter,
    TokenCount,
    TokenizeRequest,
    error_row,
    models_row,
)

_log = logging.getLogger(__name__)

SESSION = "X-Persona-Session"
_STREAM = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class ErrorDetail(BaseModel):
    """What happened."""

    message: str
    type: str
    param: str | None = None
    code: int


class ErrorBody(BaseModel):
    """Every error's body."""

    error: ErrorDetail


_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": text}
    for status, text in {
        400: "it cannot be answered so",
        401: "no token, or a wrong one",
        404: "there is none of it",
        413: "too large",
        422: "not as documented",
        429: "too many are waiting",
        503: "not ready, or too long a wait",
    }.items()
}


def create_app(
    twin: Twin, *, token: str, body_bytes: int, failed: Callable[[], object] = lambda: None
) -> FastAPI:
    """The application. failed: called when the model could not be loaded."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async def load() -> None:
            await twin.load()
            if twin.failure is not None:
                failed()

        loading = asyncio.create_task(load())
        yield
        await twin.close()
        with suppress(asyncio.CancelledError):
            await loading

    app = FastAPI(
        title="Persona",
        version=persona.__version__,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        responses=_ERRORS,
    )
    _add_errors(app, twin)
    _add_looks(app, twin)
    _add_chat(app, twin)
    app.add_middleware(Guard, token=token, body_bytes=body_bytes, answered=twin.metrics.answered)
    return app


def _add_errors(app: FastAPI, twin: Twin) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        headers = None
        if error.status in (429, 503):
            twin.metrics.refused(error.status)
            headers = {"Retry-After": str(error.retry_after)}
        return JSONResponse(error_row(error.status, error.message), error.status, headers)

    @app.exception_handler(PersonaError)
    async def wrong(_: Request, error: PersonaError) -> JSONResponse:
        return JSONResponse(error_row(400, error.message, error.hint), 400)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return JSONResponse(error_row(422, f"{where or 'the body'}: {first['msg']}"), 422)

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed: %s", logs.failure(error))
        return JSONResponse(error_row(500, f"unexpected {type(error).__name__}; the log says where"), 500)


def _add_looks(app: FastAPI, twin: Twin) -> None:
    @app.get("/health", summary="Whether it can be asked; 503 while the model is loading")
    async def health(response: Response) -> dict[str, str]:
        response.status_code = 200 if twin.state == "healthy" else 503
        return {"status": twin.state, "model": twin.name}

    @app.get("/v1/models", summary="The twin, and its model without card and memory")
    async def models() -> dict[str, Any]:
        return models_row(twin.names, twin.window)

    @app.post("/tokenize", summary="Count tokens as the model does")
    async def tokenize(body: TokenizeRequest) -> TokenCount:
        thinking = bool(body.chat_template_kwargs and body.chat_template_kwargs.enable_thinking)
        said = [ChatMessage(_role(m.role), m.text) for m in body.messages or ()]
        if body.prompt is None and not said:
            raise Refused(400, "give `prompt` or `messages`")
        count = await asyncio.to_thread(twin.count, body.prompt, said, thinking)
        return TokenCount(count=count, max_model_len=twin.window or 0)

    @app.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(twin.metrics.page(), media_type=CONTENT_TYPE)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        rows = [
            f"<li><code>{method.upper()} {html.escape(path)}</code> {html.escape(told['summary'])}</li>"
            for path, methods in app.openapi()["paths"].items()
            for method, told in methods.items()
        ]
        link = '<p>In full: <a href="/openapi.json">openapi.json</a></p>'
        return HTMLResponse(f"<!doctype html><title>Persona</title><ul>{''.join(rows)}</ul>{link}")


def _add_chat(app: FastAPI, twin: Twin) -> None:
    @app.post("/v1/chat/completions", summary="One reply, whole or as it is said", response_model=None)
    async def chat(
        request: Request, body: ChatRequest, session: Annotated[str | None, Header(alias=SESSION)] = None
    ) -> Response:
        gone = asyncio.create_task(_until_gone(request))
        try:
            headers, events, writer = await _begin(twin, body, session, gone)
            first = await anext(events)
        except BaseException:
            gone.cancel()
            raise
        if body.stream:
            figures = bool(body.stream_options and body.stream_options.include_usage)
            lines = _lines(first, events, writer, figures, gone)
            return StreamingResponse(lines, headers={**headers, **_STREAM}, media_type="text/event-stream")
        try:
            return JSONResponse(await _whole(first, events, writer), headers=headers)
        finally:
            gone.cancel()

    @app.post("/api/convert", summary="Put a text into the server's JSON schema")
    async def convert(request: Request, body: ConvertRequest) -> Converted:
        gone = asyncio.create_task(_until_gone(request))
        try:
            done = await twin.convert(body.text, gone)
        finally:
            gone.cancel()
        return Converted(success=not done.error, structured_data=done.data, error=done.error or None)


async def _begin(
    twin: Twin, body: ChatRequest, session: str | None, gone: "asyncio.Task[None]"
) -> tuple[dict[str, str], AsyncIterator[Event], ReplyWriter]:
    """Let the model speak; headers of the answer, what it says, and how that is written."""
    request = TurnRequest(
        "",
        thinking=body.thinking,
        seed=body.seed,
        max_tokens=body.limit,
        ignore_eos=body.ignore_eos,
        instructions=body.instructions,
        sampling=body.sampling,
    )
    headers: dict[str, str] = {}
    if body.model.endswith(BARE):
        said = [ChatMessage(_role(m.role), m.text) for m in body.messages]
        generation = await twin.start(twin.bare(said, request), gone)
        name = twin.name + BARE
    else:
        spoken = body.spoken()
        if not spoken or spoken[-1].role != "user":
            raise Refused(400, "the last message must be the user's, and not empty")
        asked = spoken.pop().content
        name = twin.name
        if session is None:
            generation = await twin.start(twin.stateless(spoken, replace(request, text=asked)), gone)
        else:
            last = next(m.text for m in reversed(body.messages) if m.role == "user")
            generation, session_id = await _stored(twin, replace(request, text=last), session, gone)
            headers[SESSION] = session_id
    return headers, generation.events(), ReplyWriter(token_hex(12), name)


async def _stored(
    twin: Twin, request: TurnRequest, asked: str, gone: "asyncio.Task[None]"
) -> tuple[Generation, str]:
    try:
        chat = twin.session(asked)
    except SessionError as error:
        raise Refused(404, f"{error.message}; `{SESSION}: {NEW}` begins one") from None
    try:
        source = twin.stored(replace(request, session_id=chat.id))
        return await twin.start(source, gone, chat.id), chat.id
    except Refused:
        if asked == NEW:
            twin.drop(chat.id)
        raise


async def _lines(
    first: Event, rest: AsyncIterator[Event], writer: ReplyWriter, figures: bool, gone: "asyncio.Task[None]"
) -> AsyncIterator[str]:
    """A reply as server-sent events."""
    usage: Usage | None = None
    reason: Reason = "stop"
    try:
        yield _line(writer.chunk({"role": "assistant", "content": ""}))
        async for event in _after(first, rest):
            match event:
                case TextDelta(text=text):
                    yield _line(writer.chunk({"content": text}))
                case ThinkingDelta(text=text):
                    yield _line(writer.chunk({"reasoning_content": text}))
                case Usage():
                    usage = event
                case Done():
                    reason = event.reason
        yield _line(writer.chunk({}, reason))
        if figures:
            yield _line(writer.figures(usage))
        yield "data: [DONE]\n\n"
    except PersonaError as error:
        yield _line(error_row(400, error.message, error.hint))
    except Exception as error:
        _log.error("a reply failed: %s", logs.failure(error))
        yield _line(error_row(500, f"unexpected {type(error).__name__}; the log says where"))
    finally:
        gone.cancel()


async def _whole(first: Event, rest: AsyncIterator[Event], writer: ReplyWriter) -> dict[str, Any]:
    """A reply in one piece."""
    text: list[str] = []
    thinking: list[str] = []
    usage: Usage | None = None
    reason: Reason = "stop"
    async for event in _after(first, rest):
        match event:
            case TextDelta():
                text.append(event.text)
            case ThinkingDelta():
                thinking.append(event.text)
            case Usage():
                usage = event
            case Done():
                reason = event.reason
    return writer.whole("".join(text), "".join(thinking), reason, usage)


async def _after(first: Event, rest: AsyncIterator[Event]) -> AsyncIterator[Event]:
    yield first
    async for event in rest:
        yield event


async def _until_gone(request: Request) -> None:
    """Returns when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _line(data: dict[str, Any]) -> str:
    # escaped, so that half a surrogate pair and a line separator travel, too
    return f"data: {json.dumps(data)}\n\n"


def _role(role: str) -> Role:
    return "system" if role in ("system", "developer") else "assistant" if role == "assistant" else "user"
