"""Figures for Prometheus: how many, how long, how much. No words, no chats, no label of a client's making."""

import time
from collections.abc import Iterator
from threading import Event as Cancel

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from persona.backends.base import Event, TextDelta, ThinkingDelta, Usage
from persona.server.generation import Source
from persona.server.turnstile import Turnstile

CONTENT_TYPE = CONTENT_TYPE_LATEST

NO_ROUTE = "none"
"""The route of a request that none took."""

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The figures of one server, whose requests take their turns at `turnstile`."""

    def __init__(self, turnstile: Turnstile) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "persona_requests", "Requests answered", ["route", "status"], registry=registry
        )
        self._refused = Counter(
            "persona_refused", "Requests that got no turn, by status", ["status"], registry=registry
        )
        self._first = Histogram(
            "persona_first_token_seconds",
            "From a request's arrival to the first token of its reply, the wait for a turn included",
            buckets=_SECONDS,
            registry=registry,
        )
        self._waited = Histogram(
            "persona_queue_seconds", "Wait for a turn", buckets=_SECONDS, registry=registry
        )
        self._took = Histogram(
            "persona_generation_seconds",
            "A turn, from beginning to end",
            buckets=_SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "persona_tokens",
            "Tokens read (in), found in the cache among them (cached), and written (out)",
            ["kind"],
            registry=registry,
        )
        for kind in ("in", "cached", "out"):
            self._tokens.labels(kind)
        waiting = Gauge("persona_queue_length", "Requests that wait for a turn", registry=registry)
        waiting.set_function(lambda: turnstile.waiting)
        running = Gauge("persona_replies_running", "Replies being written: none, or one", registry=registry)
        running.set_function(lambda: turnstile.busy)

    def page(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)

    def answered(self, route: str | None, status: int) -> None:
        """One request has been answered. route: the path as it was declared, None where there is no such."""
        self._requests.labels(route or NO_ROUTE, str(status)).inc()

    def refused(self, status: int) -> None:
        """One request got no turn."""
        self._refused.labels(str(status)).inc()

    def waited(self, seconds: float) -> None:
        """One request got its turn."""
        self._waited.observe(seconds)

    def watched(self, source: Source, arrived: float) -> Source:
        """`source`, its reply measured. arrived: when its request came, by `time.perf_counter`."""

        def run(cancel: Cancel) -> Iterator[Event]:
            began = time.perf_counter()
            silent = True
            try:
                for event in source(cancel):
                    if silent and isinstance(event, TextDelta | ThinkingDelta):
                        silent = False
                        self._first.observe(time.perf_counter() - arrived)
                    elif isinstance(event, Usage):
                        self._count(event)
                    yield event
            finally:
                self._took.observe(time.perf_counter() - began)

        return run

    def _count(self, usage: Usage) -> None:
        self._tokens.labels("in").inc(usage.prompt_tokens)
        self._tokens.labels("cached").inc(usage.cached_tokens)
        self._tokens.labels("out").inc(usage.completion_tokens)
