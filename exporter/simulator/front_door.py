"""From a request on a socket to an answer on it: who is asked, what goes wrong, what is noted."""

from __future__ import annotations

import re
import uuid
from email.utils import formatdate
from typing import TYPE_CHECKING

import msgspec

from exporter.simulator.answers import Answer, Refusal, json_answer, refuse
from exporter.simulator.delivery import deliver
from exporter.simulator.faults import Ending, Fault
from exporter.simulator.graph import resource
from exporter.simulator.journal import SeenRequest
from exporter.simulator.people import graph_time

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from aiohttp import web

    from exporter.clock import Clock
    from exporter.simulator.entra import Entra
    from exporter.simulator.faults import Faults
    from exporter.simulator.graph import Graph
    from exporter.simulator.journal import Journal

KEPT_HEADERS = ("Accept", "Accept-Encoding", "client-request-id", "ConsistencyLevel", "Host", "Prefer", "User-Agent")
TOKEN_PATH = re.compile(r"/([^/]+)/oauth2/v2\.0/token")
DISCOVERY_PATH = re.compile(r"/([^/]+)/v2\.0/\.well-known/openid-configuration")
INSTANCE_DISCOVERY = "/common/discovery/instance"
IMDS_PATH = "/metadata/identity/oauth2/token"
APP_SERVICE_PATH = "/msi/token"
OK, BAD_REQUEST = 200, 400


class FrontDoor:
    """The handlers of the three ports. `now` is the services' own time, seconds since the epoch."""

    def __init__(
        self,
        *,
        entra: Entra,
        graph: Graph,
        faults: Faults,
        journal: Journal,
        clock: Clock,
        now: Callable[[], float],
        closing: asyncio.Event,
    ) -> None:
        self._entra = entra
        self._graph = graph
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._now = now
        self._closing = closing

    async def services(self, request: web.Request) -> web.StreamResponse:
        """Entra and Graph, as two services that happen to share a host."""
        form: dict[str, str] = {}
        if request.method == "POST":
            form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        found = resource(request.path)
        if found is None:
            seen = self._see(request, _entra_endpoint(request))
            return await self._respond(request, seen, lambda: self._entra_work(request, seen, form))
        seen = self._see(request, found[0])
        return await self._respond(request, seen, lambda: self._graph_work(request, seen))

    async def identity(self, request: web.Request) -> web.StreamResponse:
        """Answer as the endpoints from which a machine in Azure gets its tokens."""
        answers = {APP_SERVICE_PATH: self._entra.app_service_identity, IMDS_PATH: self._entra.imds_identity}
        answer = answers.get(request.path)
        if answer is None:
            return await self.elsewhere(request)
        seen = self._see(request, "identity")
        return await self._respond(request, seen, lambda: lambda: answer(request.headers, request.query))

    async def elsewhere(self, request: web.Request) -> web.StreamResponse:
        """Answer as a stranger who takes whatever a client brings along."""
        seen = self._see(request, "elsewhere")
        if "Authorization" in request.headers:
            self._journal.breach("a token was sent to another host")
        return await self._respond(request, seen, lambda: lambda: json_answer({"value": []}))

    def _see(self, request: web.Request, endpoint: str) -> SeenRequest:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        seen = SeenRequest(
            endpoint=endpoint,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            at=self._clock.monotonic(),
            headers={name: request.headers[name] for name in KEPT_HEADERS if name in request.headers},
            client_port=peer[1] if peer else 0,
            request_id=str(uuid.uuid4()),
        )
        self._journal.requests.append(seen)
        return seen

    def _entra_work(self, request: web.Request, seen: SeenRequest, form: Mapping[str, str]) -> Callable[[], Answer]:
        origin, tenant_id = f"https://{request.host}", request.path.split("/")[1]
        if seen.endpoint == "unknown":
            refuse(404, "ResourceNotFound", "There is nothing at this address.")
        if request.path == INSTANCE_DISCOVERY:
            return lambda: self._entra.instance_discovery(origin)
        seen.tenant_id, seen.client_id = tenant_id, form.get("client_id")
        if seen.endpoint == "discovery":
            return lambda: self._entra.openid_configuration(origin, tenant_id)
        return lambda: self._entra.token(origin, tenant_id, form)

    def _graph_work(self, request: web.Request, seen: SeenRequest) -> Callable[[], Answer]:
        token = self._graph.admit(seen, request.headers.get("Authorization", ""))
        if len(request.query) > len(seen.query):
            refuse(400, "BadRequest", "A query option was specified more than once.")
        return lambda: self._graph.answer(seen, token, f"https://{request.host}")

    async def _respond(
        self, request: web.Request, seen: SeenRequest, admit: Callable[[], Callable[[], Answer]]
    ) -> web.StreamResponse:
        """Let the request in, let a fault have its way with the answer, send it. Who is not let in meets no fault."""
        fault: Fault | None = None
        try:
            work = admit()
            fault = self._faults.take(seen)
            if fault is not None and fault.delay:
                await self._clock.sleep(fault.delay)
            answer = (fault.replacement() if fault else None) or work()
        except Refusal as refusal:
            answer = refusal.answer
        if fault is not None and fault.status is None and answer.status == OK:
            answer = fault.alter(answer)
        ending = fault.ending if fault else Ending.WHOLE
        if ending not in {Ending.HANG, Ending.RESET}:
            self._journal.answered(seen, answer.status)
        if answer.on_sent is not None and ending in {Ending.WHOLE, Ending.DRIP}:
            answer.on_sent()
        return await deliver(request, self._signed(answer, seen), ending, self._clock, self._closing)

    def _signed(self, answer: Answer, seen: SeenRequest) -> Answer:
        """Return the answer with Graph's ids, in its headers and in the body of an error, and with its time."""
        ids = {"request-id": seen.request_id, "client-request-id": seen.client_request_id or seen.request_id}
        body = answer.body
        if answer.status >= BAD_REQUEST and b'"innerError":{}' in body:
            inner = msgspec.json.encode({"date": graph_time(self._now()).partition(".")[0], **ids})
            body = body.replace(b'"innerError":{}', b'"innerError":' + inner)
        return Answer(answer.status, body, {"Date": formatdate(self._now(), usegmt=True), **ids, **answer.headers})


def _entra_endpoint(request: web.Request) -> str:
    if request.method == "POST" and TOKEN_PATH.fullmatch(request.path):
        return "token"
    if request.path == INSTANCE_DISCOVERY or DISCOVERY_PATH.fullmatch(request.path):
        return "discovery"
    return "unknown"
