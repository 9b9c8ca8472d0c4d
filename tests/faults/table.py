"""The fault set: what each program's fault is, and the verdict that it must be given.

``FAULTS`` is the one place for expectations; the programs know nothing of them. The first backend and the first client
of a fault are those of its golden recording; the others are the same fault on other stacks, for the variants.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from faults import scenarios
from faults.scenarios import Scenario
from faults.shape import Shape

HERE = Path(__file__).parent
NODE_MODULES = HERE.parent / "node" / "node_modules"


@dataclass(frozen=True)
class Program:
    """A backend or a client: its file, its arguments, what it needs, and how a connection ends with it.

    ``ends`` is ``fin``, ``rst``, ``close CODE`` or ``refused STATUS``, as the far end sees it; empty: as the other
    program of the run says. ``scenario`` replaces the fault's, where the manner of the fault needs another.
    ``speaks`` binds a backend to clients that say the same; a client with ``speaks`` goes with no other backend.
    """

    file: str
    arguments: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    ends: str = ""
    scenario: Callable[[Shape, bool], Scenario] | None = None
    speaks: str = ""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault with its expected verdict.

    ``cause`` is the catalogue's id, ``verdict`` is ``category/subcategory``, ``also`` are verdicts that name the same
    thing from another side, ``closer`` is who ends the connection, ``trigger`` what makes it end. ``lifetime`` is the
    range in seconds of the shortest life in the golden run. ``mend`` says which program ``--fixed`` mends.
    ``connections`` ends the run after so many endings (0: never), ``seconds`` at the latest. ``shape`` is what the
    golden shape has of its own, ``codes`` are close codes and reasons that variants choose from (0: the usual).
    """

    name: str
    cause: str
    title: str
    verdict: str
    closer: str
    trigger: str
    backends: dict[str, Program]
    clients: dict[str, Program]
    scenario: Callable[[Shape, bool], Scenario] | None = None
    also: tuple[str, ...] = ()
    lifetime: tuple[float, float] = (0.0, 10.0)
    connections: int = 6
    seconds: float = 12.0
    mend: str = "backend"
    shape: dict[str, object] = field(default_factory=dict)
    codes: tuple[tuple[int, str], ...] = ()

    @property
    def control(self) -> bool:
        """Whether this one must not be blamed."""
        return self.verdict.startswith("none/")

    def clients_of(self, backend: str) -> list[str]:
        """The clients that can be run with this backend."""
        return [name for name, client in self.clients.items() if client.speaks == self.backends[backend].speaks]

    def golden_shape(self) -> Shape:
        """The shape of the golden recording."""
        return Shape(**self.shape)  # type: ignore[arg-type]


def missing(*programs: Program) -> str:
    """Why these programs cannot run here; empty when they can."""
    for program in programs:
        needs = program.needs + (("node",) if program.file.endswith(".mjs") else ())
        for need in needs:
            if need == "node":
                if shutil.which("node") is None:
                    return "node is not installed"
                if not NODE_MODULES.is_dir():
                    return "tests/node has no node_modules: npm ci there"
            elif need == "nginx":
                if not (
                    shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
                ):
                    return "nginx is not installed"
            elif need == "chromium":
                if shutil.which("chromium") is None:
                    return "chromium is not installed"
            elif need.startswith("npm:"):
                if not (NODE_MODULES / need[4:]).is_dir():
                    return f"tests/node lacks {need[4:]}: npm ci there"
            elif importlib.util.find_spec(need) is None:
                return f"the Python package {need} is not installed"
    return ""


def fastapi(file: str, ends: str = "", *arguments: str, needs: tuple[str, ...] = (), **more: object) -> Program:
    """A FastAPI backend on uvicorn."""
    return Program(f"backends/{file}.py", arguments, ("fastapi", "uvicorn", *needs), ends, **more)  # type: ignore[arg-type]


def stack(name: str, fault: str, ends: str = "", *arguments: str, needs: tuple[str, ...] = ()) -> Program:
    """The same fault on another Python stack."""
    return Program("backends/stacks.py", ("--stack", name, "--fault", fault, *arguments), (name, *needs), ends)


def ws(fault: str, ends: str = "", *arguments: str) -> Program:
    """The same fault on npm ws."""
    return Program("backends/ws_server.mjs", ("--fault", fault, *arguments), ("npm:ws",), ends)


PYTHON = Program("clients/frontend.py", (), ("websockets",))
AIOHTTP = Program("clients/frontend.py", ("--library", "aiohttp"), ("aiohttp",))
NODE = Program("clients/frontend.mjs", (), ("npm:ws",))
FRONTENDS = {"websockets": PYTHON, "aiohttp": AIOHTTP, "ws": NODE}
GRAPHQL = Program("clients/graphql_client.mjs", (), ("npm:graphql-ws",))
NODE_FIRST = {"ws": NODE, "websockets": PYTHON, "aiohttp": AIOHTTP}
WSPROTO = ("--ws", "wsproto")


def page(name: str, mode: str = "") -> Program:
    """A page in Chromium."""
    arguments = ("--page", name, *(("--mode", mode) if mode else ()))
    needs = ("playwright", "chromium", *(("npm:react", "npm:react-dom") if name == "react" else ()))
    return Program("clients/page.py", arguments, needs)


def jsdom(mode: str) -> Program:
    """The React page in jsdom."""
    return Program("clients/react_jsdom.mjs", ("--mode", mode), ("npm:jsdom", "npm:react", "npm:react-dom"))


_FAULTS = [
    Fault(
        name="a3-text-ping-to-json-reader",
        cause="A3",
        title="raw text ping to receive_json",
        # It is the heartbeat that kills, whatever else of its kind would: that is what a person asks first.
        verdict="heartbeat/app-ping-kills",
        also=("message/not-json",),
        closer="server",
        trigger="frame",
        backends={
            "fastapi": fastapi("a3_fastapi", "fin"),
            "wsproto": fastapi("a3_fastapi", "fin", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "a3", "fin"),
            "tornado": stack("tornado", "a3", "fin"),
            "websockets": stack("websockets", "a3", "close 1011"),
            "ws": ws("a3", "close 1011"),
            "ws-terminates": ws("a3", "fin", "--manner", "terminate"),
        },
        clients=FRONTENDS,
        scenario=scenarios.a3,
        lifetime=(0.75, 1.1),
        shape={"deflate": False},
    ),
    Fault(
        name="a4-ping-without-field",
        cause="A4",
        title="JSON ping that lacks a field",
        verdict="message/schema",
        also=("heartbeat/app-ping-kills",),
        closer="server",
        trigger="frame",
        backends={
            "fastapi": fastapi("a4_fastapi", "fin", needs=("pydantic",)),
            "wsproto": fastapi("a4_fastapi", "fin", *WSPROTO, needs=("pydantic", "wsproto")),
            "aiohttp": stack("aiohttp", "a4", "fin"),
            "tornado": stack("tornado", "a4", "fin"),
            "websockets": stack("websockets", "a4", "close 1011"),
            "ws": ws("a4", "close 1008"),
        },
        clients=FRONTENDS,
        scenario=scenarios.a4,
        lifetime=(0.75, 1.1),
    ),
    Fault(
        name="a1-handler-returns-after-accept",
        cause="A1",
        title="handler returns after accept",
        verdict="server-handler/returns-immediately",
        closer="server",
        trigger="none",
        backends={
            "fastapi": fastapi("a1_fastapi", "fin"),
            "fastapi-greets": fastapi("a1_fastapi", "fin", "--manner", "greets"),
            "wsproto": fastapi("a1_fastapi", "fin", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "a1", "close 1000"),
            "tornado": stack("tornado", "a1", "close 1005"),
            "websockets": stack("websockets", "a1", "close 1000"),
            "websockets-greets": stack("websockets", "a1", "close 1000", "--manner", "greets"),
            "ws": ws("a1", "close 1005"),
        },
        clients=FRONTENDS,
        scenario=scenarios.a1,
        lifetime=(0.0, 0.15),
    ),
    Fault(
        name="a2-handler-serves-one-message",
        cause="A2",
        title="handler serves one message, then returns",
        verdict="server-handler/returns-after-message",
        closer="server",
        trigger="count",
        backends={
            "fastapi": fastapi("a2_fastapi", "fin"),
            "wsproto": fastapi("a2_fastapi", "fin", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "a2", "close 1000"),
            "tornado": stack("tornado", "a2", "close 1005"),
            "websockets": stack("websockets", "a2", "close 1000"),
            "ws": ws("a2", "close 1005"),
        },
        clients=FRONTENDS,
        scenario=scenarios.a2,
        lifetime=(0.4, 0.7),
    ),
    Fault(
        name="a5-binary-ping-to-text-reader",
        cause="A5",
        title="binary heartbeat to a text reader",
        verdict="message/wrong-opcode",
        also=("heartbeat/app-ping-kills",),
        closer="server",
        trigger="frame",
        backends={
            "fastapi": fastapi("a5_fastapi", "fin"),
            "wsproto": fastapi("a5_fastapi", "fin", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "a5", "fin"),
            "tornado": stack("tornado", "a5", "fin"),
            "websockets": stack("websockets", "a5", "close 1011"),
            "websockets-refuses": stack("websockets", "a5", "close 1003", "--manner", "refuses"),
            "ws": ws("a5", "close 1003"),
        },
        clients=FRONTENDS,
        scenario=scenarios.a5,
        lifetime=(0.75, 1.1),
    ),
    Fault(
        name="e1-oversize-message-resent",
        cause="E1",
        title="oversize message, resent after each reconnect",
        verdict="message/oversize",
        also=("client-lifecycle/poison-replay",),
        closer="server",
        trigger="frame",
        backends={
            "uvicorn": fastapi("e1_uvicorn", "close 1009"),
            "wsproto": fastapi("e1_uvicorn", "close 1009", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "e1", "close 1009"),
            "tornado": stack("tornado", "e1"),
            "websockets": stack("websockets", "e1", "close 1009"),
            "ws": ws("e1", "close 1009"),
        },
        clients=FRONTENDS,
        scenario=scenarios.e1,
        lifetime=(0.35, 0.7),
        connections=5,
        shape={"limit": 3000},
    ),
    Fault(
        name="b3-app-pong-never-sent",
        cause="B3",
        title="app-level pong required, frontend ignores it",
        verdict="heartbeat/app-pong-missing-from-client",
        closer="server",
        trigger="time",
        mend="either",
        backends={
            "fastapi": fastapi("b3_fastapi", "close 1000"),
            "fastapi-silence": fastapi(
                "b3_fastapi", "close 1000", "--manner", "silence", scenario=scenarios.b3_silence
            ),
            "wsproto": fastapi("b3_fastapi", "close 1000", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "b3", "close 1000"),
            "tornado": stack("tornado", "b3", "close 1000"),
            "websockets": stack("websockets", "b3", "close 1000"),
            "ws": ws("b3", "close 1000"),
            "ws-terminates": ws("b3", "fin", "--manner", "terminate"),
        },
        clients=FRONTENDS,
        scenario=scenarios.b3,
        lifetime=(0.95, 1.4),
        codes=((0, ""), (0, ""), (4000, "ping timeout"), (1001, ""), (4408, "no pong")),
    ),
    Fault(
        name="b4-server-never-pongs",
        cause="B4",
        title="client's pong deadline, server never answers",
        verdict="heartbeat/app-pong-missing-from-server",
        closer="client",
        trigger="time",
        backends={
            "ws": ws("b4"),
            "ws-other": ws("b4", "", "--manner", "other"),
            "fastapi": fastapi("b4_fastapi"),
            "fastapi-other": fastapi("b4_fastapi", "", "--manner", "other"),
            "aiohttp": stack("aiohttp", "b4"),
            "tornado": stack("tornado", "b4"),
            "websockets": stack("websockets", "b4"),
        },
        clients=NODE_FIRST,
        scenario=scenarios.b4,
        lifetime=(0.95, 1.4),
        codes=((0, ""), (0, ""), (4000, "pong timeout"), (3008, ""), (1000, "heartbeat")),
    ),
    Fault(
        name="b1-control-pongs-swallowed",
        cause="B1",
        title="control pongs swallowed between the two",
        verdict="heartbeat/control-pong-missing",
        closer="server",
        trigger="time",
        backends={
            "uvicorn": Program("backends/b1_relay.py", (), ("fastapi", "uvicorn"), "close 1011"),
            "wsproto": Program("backends/b1_relay.py", WSPROTO, ("fastapi", "uvicorn", "wsproto"), "close 1011"),
            "aiohttp": Program("backends/b1_relay.py", ("--stack", "aiohttp"), ("aiohttp",), "fin", scenarios.quiet),
            "websockets": Program("backends/b1_relay.py", ("--stack", "websockets"), ("websockets",), "close 1011"),
            "uvicorn-alone": fastapi("b1_uvicorn", "close 1011", speaks="no pongs"),
        },
        clients={
            **FRONTENDS,
            # the relay before whatever is to be observed, as a corporate proxy would be
            "websockets-relayed": Program(
                "clients/frontend.py", ("--swallow-pongs",), ("websockets",), speaks="no pongs"
            ),
        },
        scenario=scenarios.chatting,
        lifetime=(1.1, 1.7),
        connections=5,
    ),
    Fault(
        name="c1-idle-timeout-at-nginx",
        cause="C1",
        title="idle timeout at an intermediary",
        verdict="intermediary/idle-timeout",
        closer="server",
        trigger="time",
        backends={
            "nginx": Program("backends/c1_nginx.py", (), ("nginx", "fastapi", "uvicorn"), "fin"),
            "relay": Program("backends/c1_nginx.py", ("--stack", "relay"), ("fastapi", "uvicorn"), "fin"),
        },
        clients=FRONTENDS,
        scenario=scenarios.c1,
        lifetime=(1.7, 4.6),
        connections=4,
        seconds=18.0,
        shape={"chatter": 0.45, "deadline": 2.0},  # nginx moves a timer only when it is 0.3 s out
    ),
    Fault(
        name="f5-client-id-collision",
        cause="F5",
        title="two tabs with one client id, the older is kicked",
        verdict="identity/id-collision",
        closer="server",
        trigger="peer",
        backends={
            "fastapi": fastapi("f5_fastapi", "close 4000"),
            "wsproto": fastapi("f5_fastapi", "close 4000", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "f5", "close 4000"),
            "tornado": stack("tornado", "f5", "close 4000"),
            "websockets": stack("websockets", "f5", "close 4000"),
            "ws": ws("f5", "close 4000"),
        },
        clients=FRONTENDS,
        scenario=scenarios.f5,
        lifetime=(0.2, 0.9),
        connections=8,
        codes=((0, ""), (1000, ""), (4001, "replaced"), (1008, "duplicate session"), (1000, "")),
    ),
    Fault(
        name="d7-stale-token-retried",
        cause="D7",
        title="stale token, 4401 after accept, retried for ever",
        verdict="identity/token-expired-retry",
        also=("handshake/auth-rejected",),
        closer="server",
        trigger="header",
        mend="either",
        backends={
            "fastapi": fastapi("d7_fastapi", "close 4401", needs=("jwt",)),
            "wsproto": fastapi("d7_fastapi", "close 4401", *WSPROTO, needs=("jwt", "wsproto")),
            "aiohttp": stack("aiohttp", "d7", "close 4401", needs=("jwt",)),
            "tornado": stack("tornado", "d7", "close 4401", needs=("jwt",)),
            "websockets": stack("websockets", "d7", "close 4401", needs=("jwt",)),
            "ws": ws("d7", "close 4401"),
        },
        clients=FRONTENDS,
        scenario=scenarios.d7,
        lifetime=(0.0, 0.15),
        codes=((0, ""), (1008, "token expired"), (4001, ""), (4003, "Unauthorized"), (0, "")),
    ),
    Fault(
        name="d8-close-before-accept",
        cause="D8",
        title="close before accept",
        verdict="handshake/auth-rejected",
        closer="server",
        trigger="header",
        backends={
            "fastapi": fastapi("d8_fastapi", "refused 403"),
            "wsproto": fastapi("d8_fastapi", "refused 403", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "d8", "refused 401"),
            "tornado": stack("tornado", "d8", "refused 401"),
            "websockets": stack("websockets", "d8", "refused 401"),
            "ws": ws("d8", "refused 401"),
        },
        clients=FRONTENDS,
        scenario=scenarios.d8,
    ),
    Fault(
        name="d3-token-as-subprotocol",
        cause="D3",
        title="token offered as subprotocol, not echoed",
        verdict="handshake/subprotocol",
        closer="client",
        trigger="header",
        backends={
            "fastapi": fastapi("d3_fastapi"),
            "aiohttp": stack("aiohttp", "d3"),
            "tornado": stack("tornado", "d3"),
            "websockets": stack("websockets", "d3"),
            "ws": ws("d3"),
        },
        clients={"chromium": page("token"), "ws": NODE},
        scenario=scenarios.d3,
        lifetime=(0.0, 0.5),
    ),
    Fault(
        name="d1-graphql-subprotocol",
        cause="D1",
        title="graphql-ws client against a subscriptions-transport-ws server",
        verdict="handshake/subprotocol",
        also=("message/vocabulary-mismatch",),
        closer="server",
        trigger="header",
        backends={
            "transport": Program("backends/graphql_server.mjs", (), ("npm:subscriptions-transport-ws",), "close 1002"),
            # the other way round; a client that does not insist on the echo gets to see the 4406
            "graphql-ws": Program(
                "backends/graphql_server.mjs",
                ("--stack", "new"),
                ("npm:graphql-ws",),
                "close 4406",
                scenarios.graphql_old,
                "old",
            ),
        },
        clients={"graphql-ws": GRAPHQL, "websockets": replace(PYTHON, speaks="old")},
        lifetime=(0.0, 0.2),
    ),
    Fault(
        name="d4-deflate-not-implemented",
        cause="D4",
        title="permessage-deflate echoed but not implemented",
        verdict="handshake/extension",
        closer="server",
        trigger="header",
        backends={
            "asyncio": Program("backends/d4_asyncio.py", (), (), "close 1002"),
            "asyncio-naive": Program("backends/d4_asyncio.py", ("--manner", "naive"), (), "fin"),
        },
        clients={"ws": NODE, "websockets": PYTHON, "aiohttp": AIOHTTP},
        scenario=scenarios.chatting,
        lifetime=(0.0, 0.2),
        shape={"deflate": True},
    ),
    Fault(
        name="d10-doubled-path",
        cause="D10",
        title="doubled /ws in the path",
        verdict="handshake/path",
        closer="server",
        trigger="header",
        mend="either",
        backends={
            "fastapi": fastapi("d10_fastapi", "refused 403"),
            "wsproto": fastapi("d10_fastapi", "refused 403", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "d10", "refused 404"),
            "tornado": stack("tornado", "d10", "refused 404"),
            "websockets": stack("websockets", "d10", "refused 404"),
            "ws": ws("d10", "refused 404"),
        },
        clients=FRONTENDS,
        scenario=scenarios.d10,
    ),
    Fault(
        name="f2-effect-churn",
        cause="F2",
        title="effect dependencies change with every render",
        verdict="client-lifecycle/effect-churn",
        closer="client",
        trigger="frame",
        mend="client",
        backends={
            "fastapi": fastapi("f2_fastapi"),
            "aiohttp": stack("aiohttp", "f2"),
            "tornado": stack("tornado", "f2"),
            "websockets": stack("websockets", "f2"),
            "ws": ws("f2"),
        },
        clients={"chromium": page("react", "churn"), "jsdom": jsdom("churn")},
        lifetime=(0.2, 0.9),
        connections=8,
        codes=((0, ""), (0, ""), (1000, "")),
    ),
    Fault(
        name="f4-client-throws-on-text",
        cause="F4",
        title="client throws on a plain-text welcome",
        verdict="client-lifecycle/throws-on-frame",
        closer="client",
        trigger="frame",
        backends={
            "fastapi": fastapi("f4_fastapi"),
            "fastapi-html": fastapi("f4_fastapi", "", "--manner", "html"),
            "fastapi-truncated": fastapi("f4_fastapi", "", "--manner", "truncated"),
            "fastapi-terminates": fastapi("f4_fastapi", scenario=scenarios.f4_terminate),
            "aiohttp": stack("aiohttp", "f4"),
            "tornado": stack("tornado", "f4"),
            "websockets": stack("websockets", "f4"),
            "ws": ws("f4"),
        },
        clients=NODE_FIRST,
        scenario=scenarios.f4,
        lifetime=(0.5, 0.9),
        codes=((0, ""), (0, ""), (1003, ""), (4000, "")),
    ),
    Fault(
        name="a9-broadcast-not-serialisable",
        cause="A9",
        title="server cannot serialise its own broadcast",
        verdict="server-handler/crash-on-own-event",
        closer="server",
        trigger="time",
        backends={
            "fastapi": fastapi("a9_fastapi", "fin"),
            "wsproto": fastapi("a9_fastapi", "fin", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "a9", "fin"),
            "tornado": stack("tornado", "a9", "fin"),
            "websockets": stack("websockets", "a9", "close 1011"),
        },
        clients=FRONTENDS,
        scenario=scenarios.a9,
        lifetime=(0.0, 1.6),
        connections=12,
    ),
    Fault(
        name="healthy",
        cause="",
        title="a healthy application",
        verdict="none/healthy",
        closer="",
        trigger="none",
        mend="",
        backends={
            "fastapi": fastapi("healthy_fastapi"),
            "wsproto": fastapi("healthy_fastapi", "", *WSPROTO, needs=("wsproto",)),
            "aiohttp": stack("aiohttp", "healthy"),
            "tornado": stack("tornado", "healthy"),
            "websockets": stack("websockets", "healthy"),
            "ws": ws("healthy"),
            "uvicorn-pings": fastapi("b1_uvicorn"),
            "socketio": Program("backends/socketio_server.mjs", (), ("npm:socket.io",), speaks="socket.io"),
            "graphql-ws": Program(
                "backends/graphql_server.mjs", ("--stack", "new"), ("npm:graphql-ws",), speaks="graphql"
            ),
        },
        clients={
            **FRONTENDS,
            "socketio": Program("clients/socketio_client.mjs", (), ("npm:socket.io-client",), speaks="socket.io"),
            "graphql-ws": replace(GRAPHQL, speaks="graphql"),
        },
        scenario=scenarios.healthy,
        connections=0,
        seconds=5.0,
        shape={"news": 0.7},
    ),
    Fault(
        name="healthy-json-errors-logged",
        cause="",
        title="a healthy application that logs a JSON error on every ping and stays open",
        verdict="none/harmless-errors",
        also=("none/healthy",),
        closer="",
        trigger="none",
        mend="",
        backends={
            "fastapi": fastapi("harmless_fastapi"),
            "fastapi-tells": fastapi("harmless_fastapi", "", "--manner", "tells"),
            "aiohttp": stack("aiohttp", "harmless"),
            "tornado": stack("tornado", "harmless", "", "--manner", "tells"),
            "websockets": stack("websockets", "harmless"),
            "ws": ws("harmless"),
            "ws-tells": ws("harmless", "", "--manner", "tells"),
        },
        clients=FRONTENDS,
        scenario=scenarios.harmless,
        connections=0,
        seconds=5.0,
    ),
    Fault(
        name="healthy-one-restart",
        cause="",
        title="one single server restart",
        verdict="none/healthy",
        also=("none/harmless-errors",),
        closer="",
        trigger="none",
        mend="",
        backends={
            "uvicorn": fastapi("restart_uvicorn"),
            "wsproto": fastapi("restart_uvicorn", "", *WSPROTO, needs=("wsproto",)),
        },
        clients=FRONTENDS,
        scenario=scenarios.healthy,
        connections=0,
        seconds=6.5,
        shape={"news": 0.7, "delay": 0.5},
    ),
    Fault(
        name="healthy-strict-mode",
        cause="F1",
        title="StrictMode's harmless first close",
        verdict="none/healthy",
        also=("none/harmless-errors",),
        closer="",
        trigger="none",
        mend="",
        backends={
            "fastapi": fastapi("f2_fastapi"),
            "websockets": stack("websockets", "f2"),
            "ws": ws("f2"),
        },
        clients={"chromium": page("react", "strict"), "jsdom": jsdom("strict")},
        connections=0,
        seconds=6.0,
    ),
]

FAULTS: dict[str, Fault] = {fault.name: fault for fault in _FAULTS}
"""All of them by name, in the order of the catalogue's list: twenty faults, four controls."""
