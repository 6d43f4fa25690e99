"""What the server promises, as a table: a line for each behaviour, with the page of the specification behind it.

A test names the requirements that it proves (`@pytest.mark.requirement("T5a")`), and is then run in every version and
over every transport for which all of them hold. `test_manifest` sees to it that each line of the table has its tests,
and `document` turns the table into `docs/requirements.md`. Nothing here knows how the promises are tested.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from mcp_server.protocol.versions import (
    ALL_VERSIONS,
    MODERN_VERSIONS,
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    V2026_07_28,
)

Level: TypeAlias = Literal["MUST", "SHOULD", "MAY", "OURS"]
Transport: TypeAlias = Literal["memory", "stdio", "http", "events", "http+sse"]
Cell: TypeAlias = tuple[Transport, str]
"""A transport and a version: where a behaviour can be seen."""

PIPES: Final[tuple[Transport, ...]] = ("memory", "stdio")
HTTP: Final[tuple[Transport, ...]] = ("http", "events", "http+sse")
"""`POST /mcp`, `POST /mcp/sse`, and the two addresses of 2024-11-05."""
TRANSPORTS: Final[tuple[Transport, ...]] = PIPES + HTTP


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One behaviour; `level` is `OURS` where no specification asks for it."""

    text: str
    spec: str
    level: Level = "MUST"
    since: str = ALL_VERSIONS[0]
    until: str = ALL_VERSIONS[-1]
    transports: tuple[Transport, ...] = TRANSPORTS
    within: Literal["request", "connection"] = "request"
    """Whether it is about more than one request of a connection, which requests of the newest version do not have over
    HTTP."""

    elsewhere: str = "none: at registration"
    """Where it holds, if that is on no transport of MCP."""

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions in which this holds, oldest first."""
        return ALL_VERSIONS[ALL_VERSIONS.index(self.since) : ALL_VERSIONS.index(self.until) + 1]

    @property
    def cells(self) -> frozenset[Cell]:
        """Wherever this holds."""
        return frozenset(
            (transport, version)
            for transport in self.transports
            for version in self.versions
            if _served(transport, version) and not (self.within == "connection" and _alone(transport, version))
        )


def _served(transport: Transport, version: str) -> bool:
    return transport in PIPES or (transport == "http+sse") == (version == V2024_11_05)


def _alone(transport: Transport, version: str) -> bool:
    return transport in HTTP and version in MODERN_VERSIONS


def cells_of(ids: Iterable[str]) -> list[Cell]:
    """Wherever all of these requirements hold, in the order of the table's axes."""
    common = [REQUIREMENTS[each].cells for each in ids]
    return [
        (transport, version)
        for transport in TRANSPORTS
        for version in ALL_VERSIONS
        if all((transport, version) in cells for cells in common)
    ]


def _modern(text: str, spec: str, level: Level = "MUST") -> Requirement:
    return Requirement(text=text, spec=f"{V2026_07_28}/{spec}", level=level, since=V2026_07_28)


def _legacy(text: str, spec: str, level: Level = "MUST") -> Requirement:
    return Requirement(text=text, spec=f"{V2025_11_25}/{spec}", level=level, until=V2025_11_25)


def _always(text: str, spec: str, level: Level = "MUST") -> Requirement:
    return Requirement(text=text, spec=f"{V2026_07_28}/{spec}", level=level)


def _ours(text: str) -> Requirement:
    return Requirement(text=text, spec="", level="OURS")


_BASE: Final = {
    "B1": _modern("A request whose metadata lacks what every request must carry gets -32602.", "basic/index#_meta"),
    "B2": _modern("A client that does not say what it is called is served.", "basic/index#_meta"),
    "B3a": _modern("Every result says of what type it is.", "basic/index#responses"),
    "B3b": _modern("Every result says who made it.", "basic/index#_meta", "SHOULD"),
    "B4a": _modern(
        "A version that is not served gets -32022, with those that are and the one that was asked for.",
        "basic/versioning#protocol-version-negotiation",
    ),
    "B4b": _modern("Each request is judged by its own version.", "basic/versioning#protocol-version-negotiation"),
    "B5a": _modern(
        "Discovery tells versions, capabilities, instructions and how long to keep them.", "server/discover"
    ),
    "B5b": _modern("Whatever is advertised is there.", "server/discover"),
    "B7": _modern("Nothing that one request says holds for the next.", "basic/index#statelessness"),
    "B8a": _always("A method that does not exist gets -32601.", "basic/index#error-codes"),
    "B8b": _modern("A method that has been removed gets -32601.", "basic/index#error-codes"),
    "B8c": _legacy("A method that came later gets -32601.", "basic/index#error-codes"),
    "B8d": _always("A method of a capability that is not advertised gets -32601.", "server/discover"),
    "B13": _modern("The trace that a caller is in reaches the tool, to be passed on.", "basic/index#_meta", "MAY"),
    "B9": _modern("No error has a code that is reserved or out of use.", "basic/index#error-codes"),
}

_MESSAGES: Final = {
    "M1": _always("An answer bears the id of its request, in the same JSON type.", "basic/index#responses"),
    "M2": _always("An id that is neither string nor integer gets -32600.", "basic/index#requests"),
    "M3": _always("What is not JSON gets -32700, and the connection lives on.", "basic/index#messages"),
    "M3b": _ours("JSON that is nested too deep to be read gets -32600, and the connection lives on."),
    "M3c": _ours("The mark that some programs put in front of UTF-8 is ignored."),
    "M4": _always("JSON that is not a message gets -32600, and the connection lives on.", "basic/index#messages"),
    "M5a": Requirement(
        text="An array of requests gets an array of answers.",
        spec=f"{V2025_03_26}/basic/index#batching",
        since=V2025_03_26,
        until=V2025_03_26,
    ),
    "M5b": Requirement(
        text="An array of requests gets -32600.", spec=f"{V2025_06_18}/changelog#major-changes", since=V2025_06_18
    ),
    "M6": _always("A notification is never answered, known or not.", "basic/index#notifications"),
    "M7": Requirement(
        text="An id that is in flight may not be used again, and the call that has it goes on.",
        spec=f"{V2026_07_28}/basic/index#requests",
        within="connection",
    ),
    "M8": Requirement(
        text="A response that nobody waits for is passed over.", spec="", level="OURS", within="connection"
    ),
    "M9": _ours("A call that waits delays no other, whether it is asynchronous or holds a thread."),
}

_NEGOTIATION: Final = {
    "N1": _legacy("A handshake at a version that is served gets that version.", "basic/lifecycle#version-negotiation"),
    "N2": _legacy(
        "A handshake at any other version gets the newest that has handshakes.", "basic/lifecycle#version-negotiation"
    ),
    "B15": _legacy(
        "A handshake is never refused for its version: it is told one that is served.",
        "basic/lifecycle#version-negotiation",
        "SHOULD",
    ),
    "N3": _legacy(
        "A handshake is told name, version, capabilities and instructions.", "basic/lifecycle#initialization"
    ),
    "N4": _modern(
        "A client may ask to discover and then shake hands on the same connection.",
        "basic/versioning#backward-compatibility-with-initialization-based-versions",
        "MAY",
    ),
    "N5": _modern(
        "Requests of both eras are served side by side on one connection.",
        "basic/versioning#backward-compatibility-with-initialization-based-versions",
        "MAY",
    ),
    "N6": _legacy("No list shows a field that its version does not have.", "schema"),
    "N7": _legacy("No result has a field that came with 2026-07-28.", "schema"),
    "N8": _legacy("A ping is answered at once, with nothing.", "basic/utilities/ping#behavior-requirements"),
    "N9": _legacy(
        "Structure that is not an object is sent as text only, and its schema is not listed.",
        "server/tools#structured-content",
    ),
    "N10": _legacy("Content of a kind that its version does not have is told in another.", "schema"),
}

_STDIO: Final = {
    "I1a": Requirement(
        text="Nothing but MCP reaches standard output, whatever a tool or its child processes print.",
        spec=f"{V2026_07_28}/basic/transports/stdio#sending-messages",
        transports=("stdio",),
    ),
    "I1b": Requirement(
        text="A message is one line, in UTF-8.",
        spec=f"{V2026_07_28}/basic/transports/stdio#sending-messages",
        transports=PIPES,
    ),
    "I2": _modern("The server sends no requests.", "basic/transports/index#messages"),
    "I3a": _always(
        "A call that is cancelled stops and is not answered.", "basic/patterns/cancellation#behavior-requirements"
    ),
    "I3b": _always(
        "The cancellation of a call that is unknown or over is passed over.",
        "basic/patterns/cancellation#behavior-requirements",
        "MAY",
    ),
    "I5": Requirement(
        text="When its input ends, the process ends, even in the middle of a call.",
        spec=f"{V2026_07_28}/basic/transports/stdio#shutdown",
        level="SHOULD",
        transports=("stdio",),
    ),
    "I6": Requirement(
        text="A subscription that the server ends gets its result, and then the cancellation that a pipe needs.",
        spec=f"{V2026_07_28}/basic/patterns/subscriptions#graceful-closure",
        since=V2026_07_28,
        transports=PIPES,
    ),
}

_PATTERNS: Final = {
    "P7a": _always("Progress only ever increases.", "basic/patterns/progress#behavior-requirements"),
    "P7b": _always(
        "Progress is told under the caller's token, to those who gave one.", "basic/patterns/progress#progress-flow"
    ),
    "P7c": _always("No progress is told after the answer.", "basic/patterns/progress#behavior-requirements"),
    "P7e": _always(
        "Progress that nobody could follow is left out.", "basic/patterns/progress#implementation-notes", "SHOULD"
    ),
    "P7d": Requirement(
        text="Progress may say something.",
        spec=f"{V2025_03_26}/basic/utilities/progress#progress-flow",
        level="MAY",
        since=V2025_03_26,
    ),
    "P8": _always(
        "A call is answered at its deadline, whatever progress it has told.",
        "basic/patterns/cancellation#timeouts",
        "SHOULD",
    ),
    "P9a": _modern("A subscription begins with what of it is honoured.", "basic/patterns/subscriptions#acknowledgment"),
    "P9b": _modern("Nothing is told that was not asked for.", "basic/patterns/subscriptions#notification-filter"),
    "P9c": _modern(
        "Everything about a subscription bears its id, in the same JSON type.",
        "basic/patterns/subscriptions#receiving-notifications",
    ),
    "P9d": _modern(
        "Several subscriptions may be open at once.", "basic/patterns/subscriptions#multiple-concurrent-subscriptions"
    ),
    "P9e": _modern("A subscription that its client cancels is silent.", "basic/patterns/subscriptions#cancellation"),
    "P10a": _modern(
        "Those who asked hear of every list that changes.", "server/tools#list-changed-notification", "SHOULD"
    ),
    "P10b": _legacy("A client hears of every list that changes.", "server/tools#list-changed-notification", "SHOULD"),
}

_ASKING: Final = {
    "B6": _modern(
        "A question that the client has not declared it can answer gets -32021, with what it would have to declare.",
        "basic/index#error-codes",
    ),
    "P1a": _modern(
        "A call that asks ends with what it asks and a state, and goes on when it is made again with the answers.",
        "basic/patterns/mrtr",
    ),
    "P1b": _modern("Tools, resources and prompts may ask.", "basic/patterns/mrtr"),
    "P2": _modern("Nothing is asked that this very request did not allow.", "basic/patterns/mrtr"),
    "P3": _modern("A state that was changed gets -32602.", "basic/patterns/mrtr"),
    "P4": _modern("A state is worth something for its own request alone.", "basic/patterns/mrtr", "SHOULD"),
    "P5a": _modern("What was not answered is asked again.", "basic/patterns/mrtr", "SHOULD"),
    "P5b": _modern("An answer that nobody asked for is passed over.", "basic/patterns/mrtr", "SHOULD"),
    "P5c": _modern("An answer that does not fit the form is asked for again.", "client/elicitation", "SHOULD"),
    "P5d": _modern("Answers of the wrong shape get -32602.", "basic/patterns/mrtr"),
    "P6": Requirement(text="A user may decline.", spec=f"{V2026_07_28}/client/elicitation", since=V2025_06_18),
    "E1": _modern("A form is flat, and has the fields that every client can show.", "client/elicitation"),
    "E2": Requirement(
        text="No page is asked for that could be read on its way, or that its address alone opens.",
        spec=f"{V2026_07_28}/client/elicitation#safe-url-handling",
        since=V2025_11_25,
    ),
    "E3": _modern("A page to visit is asked for without an id of its own.", "client/elicitation"),
    "D1a": Requirement(
        text="An older client is asked in a request of its own, in the course of the call.",
        spec=f"{V2025_11_25}/client/elicitation",
        since=V2025_06_18,
        until=V2025_11_25,
    ),
    "D1b": _legacy("An older client that cannot answer is told so in the result.", "client/elicitation"),
    "D1c": _always("The client's model and its roots can be asked.", "client/sampling", "MAY"),
    "D1d": Requirement(
        text="What a tool does once is done once, however many rounds its questions take.",
        spec="",
        level="OURS",
        since=V2025_06_18,
    ),
}

_TOOLS: Final = {
    "T1a": _always("The capability for tools is declared.", "server/tools#capabilities"),
    "T1b": _always(
        "The list of tools is the same for every connection and after any call.", "server/tools#listing-tools"
    ),
    "T2": _always("Tools are listed in the same order each time.", "server/tools#listing-tools", "SHOULD"),
    "T3a": _always("A tool's input is an object; one without arguments takes none.", "server/tools#tool"),
    "T3b": _always("A schema that was given is published to the letter.", "server/tools#tool"),
    "T4a": Requirement(
        text="A structured result is what its schema says, and is told as text too.",
        spec=f"{V2025_06_18}/server/tools#structured-content",
        since=V2025_06_18,
    ),
    "T4b": _modern("A structured result may be any JSON value.", "server/tools#structured-content"),
    "T4c": _always("A result that breaks its own schema is an error, and is not shown.", "server/tools#output-schema"),
    "T5a": _always("A tool that does not exist gets -32602.", "server/tools#error-handling"),
    "T5b": _always("A call that is malformed gets -32602.", "server/tools#error-handling"),
    "T5c": _always(
        "Arguments that break the schema get a result that names them and is an error.", "server/tools#error-handling"
    ),
    "T5d": _always("What a tool says went wrong is told in a result that is an error.", "server/tools#error-handling"),
    "T5e": _ours("What a tool did not mean to say stays in the log, under a reference that the caller gets."),
    "T6": _always(
        "A tool's name has the characters and the length that every host takes.", "server/tools#tool-names", "SHOULD"
    ),
    "T7": _always(
        "Arguments are taken as they are: none is converted, none is dropped.", "server/tools#security-considerations"
    ),
    "T10": _always(
        "Text, pictures, sound, files and links arrive as content of their kind.", "server/tools#tool-result"
    ),
}

_RESOURCES: Final = {
    "R1a": _modern("A resource that is not there gets -32602, with its URI.", "server/resources#error-handling"),
    "R1b": _legacy(
        "A resource that is not there gets -32002, with its URI.", "server/resources#error-handling", "SHOULD"
    ),
    "R2a": _always(
        "Resources and templates are listed in the same order each time.", "server/resources#listing-resources"
    ),
    "R2b": _always("Text is sent as text, bytes in base64.", "server/resources#resource-contents"),
    "R2c": _always("A resource of a template is read by its URI.", "server/resources#resource-templates"),
    "R3a": _modern(
        "A subscription to resources hears of those, and of what is inside them.", "server/resources#subscriptions"
    ),
    "R3b": _legacy(
        "A resource that is subscribed to is heard of until it is not any more.", "server/resources#subscriptions"
    ),
    "R3c": _always("The capability to subscribe is declared.", "server/resources#capabilities"),
}

_PROMPTS: Final = {
    "G1a": _always("The capability for prompts is declared.", "server/prompts#capabilities"),
    "G1b": _always("A prompt is listed with its arguments and filled in with them.", "server/prompts#getting-a-prompt"),
    "G1c": _always("A prompt that does not exist gets -32602.", "server/prompts#error-handling", "SHOULD"),
    "G1d": _always(
        "An argument that is missing, unknown or not a string gets -32602.", "server/prompts#error-handling", "SHOULD"
    ),
    "C1a": Requirement(
        text="The capability for completions is declared.",
        spec=f"{V2025_03_26}/server/utilities/completion#capabilities",
        since=V2025_03_26,
    ),
    "C1b": _always(
        "No more than 100 values are proposed, and it is said that there are more.",
        "server/utilities/completion#completion-results",
    ),
    "C1c": Requirement(
        text="A proposal may depend on what has been filled in before.",
        spec=f"{V2025_06_18}/server/utilities/completion#requesting-completions",
        since=V2025_06_18,
    ),
    "C1d": _always(
        "A reference to something that does not exist gets -32602.",
        "server/utilities/completion#error-handling",
        "SHOULD",
    ),
}

_LOGS_AND_LISTS: Final = {
    "L1a": _modern(
        "Log messages go to the requests that asked for them, and to no other.",
        "server/utilities/logging#requesting-log-messages",
    ),
    "L1b": _always("No message is below the level that was asked for.", "server/utilities/logging#log-levels"),
    "L1c": _legacy("A client sets the level for what follows.", "server/utilities/logging#setting-log-level"),
    "L1d": _always("A level that does not exist gets -32602.", "server/utilities/logging#error-handling", "SHOULD"),
    "L1e": _always("The capability to log is declared.", "server/utilities/logging#capabilities"),
    "Q1a": _always("Page by page, a list is shown once and whole.", "server/utilities/pagination#pagination-flow"),
    "Q1b": _always(
        "A cursor that was not given out for this list gets -32602.",
        "server/utilities/pagination#error-handling",
        "SHOULD",
    ),
    "K1a": _modern("Whatever may be kept says for how long and by whom.", "server/utilities/caching#cacheable-results"),
    "K1b": _modern(
        "All pages of a list may be kept by the same.", "server/utilities/caching#interaction-with-pagination"
    ),
}

_EXTENSION: Final = "../seps/2663-tasks-extension"
_OLD_TASKS: Final = f"{V2025_11_25}/basic/utilities/tasks"


def _task(text: str, page: str, level: Level = "MUST") -> Requirement:
    return Requirement(text=text, spec=f"{_EXTENSION}#{page}", level=level, since=V2026_07_28)


def _old_task(text: str, page: str, level: Level = "MUST") -> Requirement:
    return Requirement(text=text, spec=f"{_OLD_TASKS}#{page}", level=level, since=V2025_11_25, until=V2025_11_25)


_TASKS: Final = {
    "X1a": _task("A caller who takes a task gets a flat one, which can be looked up at once.", "task-creation"),
    "X1b": _task("A caller who takes none is never answered with one.", "capability-negotiation"),
    "X1c": _task("A tool that has only a task gets -32021 for a caller who takes none.", "capability-negotiation"),
    "T9": Requirement(
        text="The id of what the server keeps cannot be guessed.",
        spec=f"{V2026_07_28}/server/tools#stateful-tools",
        level="SHOULD",
        since=V2025_11_25,
    ),
    "X2a": _task("A task that does not exist gets -32602.", "protocol-errors"),
    "X2b": _task("Whoever does not declare the extension gets -32021 for all about tasks.", "protocol-errors"),
    "X2c": _task("What only 2025-11-25 asks gets -32601, and its parameter is ignored.", "backward-compatibility"),
    "X3a": _task("An error of the protocol is a failure, and what a tool says is a result.", "task-execution-errors"),
    "X3b": _task("Open questions are in the task, and each answer closes its own.", "task-update-requests"),
    "X3c": _task("Answers to what is not asked are ignored.", "task-update-requests", "SHOULD"),
    "X3d": _task("A task is cancelled by its own request, and by no other cancellation.", "task-cancellation"),
    "X3e": _task("Those who listen to a task are told of it, and nobody else.", "task-status-notifications"),
    "X4": _task("What is asked before the task is asked in rounds.", "task-creation", "SHOULD"),
    "X5a": _task("The extension is advertised, and the older capability is not.", "capability-negotiation"),
    "X5b": _old_task("The capability is declared, and each tool says whether it can be a task.", "capabilities"),
    "X5c": _old_task("A call that asks for a task gets one, and its result on request.", "result-retrieval"),
    "X5d": _old_task("A tool that must be a task, or must not, gets -32601 otherwise.", "tool-level-negotiation"),
    "X5e": _old_task("A task that has ended cannot be cancelled, which gets -32602.", "task-cancellation-2"),
    "X5f": Requirement(
        text="A version without tasks hears nothing of them.",
        spec=f"{V2025_06_18}/server/tools#tool",
        level="SHOULD",
        until=V2025_06_18,
    ),
}


def _http(text: str, spec: str, level: Level = "MUST", **more: Any) -> Requirement:
    return Requirement(
        text=text,
        spec=f"{V2026_07_28}/basic/transports/streamable-http#{spec}",
        level=level,
        transports=("http", "events"),
        **more,
    )


_HTTP: Final = {
    "H1": _http("A page of somebody else's, or a name that is not ours, gets 403.", "security-warning"),
    "H2": _http("A request that bears no session is served.", "sending-messages-to-the-server", since=V2026_07_28),
    "H4": _http("A call whose client hangs up stops.", "cancellation", since=V2026_07_28),
    "H4b": Requirement(
        text="A call whose client hangs up goes on.",
        spec=f"{V2025_11_25}/basic/transports#sending-messages-to-the-server",
        level="SHOULD",
        since=V2025_03_26,
        until=V2025_11_25,
        transports=("http", "events"),
    ),
    "H5": _http("Headers that contradict the body get 400 and -32020.", "server-validation", since=V2026_07_28),
    "H6": _http(
        "An argument that is repeated in a header is held against it.", "custom-headers", since=V2026_07_28
    ),
    "H7": _http("Each error has its status.", "responses", since=V2026_07_28),
    "H7b": Requirement(
        text="An unknown method has status 200, and 404 means that the session is over.",
        spec=f"{V2025_11_25}/basic/transports#session-management",
        since=V2025_03_26,
        until=V2025_11_25,
        transports=("http", "events"),
    ),
    "H8": _http("A stream says that it must not be buffered.", "responses", "SHOULD"),
    "H9a": _http("No session is made, and one that is named is passed over.", "sessions", since=V2026_07_28),
    "H9b": _http("Asked with GET or DELETE, there is nothing.", "sessions", "SHOULD", since=V2026_07_28),
    "H10": _http("An id means nothing to another request.", "sending-messages-to-the-server", since=V2026_07_28),
    "H11": _http("A notification gets 202 and no body.", "sending-messages-to-the-server"),
    "H12": Requirement(
        text="A client of 2024-11-05 is told where to send its messages, and gets every answer on its stream.",
        spec=f"{V2024_11_05}/basic/transports#http-with-sse",
        level="MAY",
        until=V2024_11_05,
        transports=("http+sse",),
    ),
    "H13": Requirement(
        text="A page that may call may send every header of the protocol, and read what clients need.",
        spec="",
        level="OURS",
        transports=("http", "events"),
    ),
    "H14": _http("A response gets 400: there was no question.", "sending-messages-to-the-server", since=V2026_07_28),
    "P11": _http(
        "A subscription that the server ends gets its result, and its stream ends.", "cancellation", "SHOULD",
        since=V2026_07_28,
    ),
}  # fmt: skip


def _offline(text: str, spec: str, level: Level = "MUST") -> Requirement:
    return Requirement(text=text, spec=f"{V2026_07_28}/{spec}", level=level, transports=())


_OFFLINE: Final = {
    "B10": _always("Extensions are told of under their identifiers.", "basic/versioning", "MAY"),
    "B10b": _always("A server that uses no extension claims none.", "basic/versioning"),
    "B11": _offline("A schema of a dialect that is not understood is refused.", "basic/index#json-schema-usage"),
    "B12": _offline(
        "A schema that refers to another place is refused, and not fetched.", "basic/index#json-schema-usage"
    ),
    "T8": _offline("An argument that no header can repeat is refused.", "server/tools"),
    "R2d": _offline("What is no URI is refused.", "server/resources"),
    "R4": _offline(
        "A resource whose URI is one of the web is advised against.", "server/resources#common-uri-schemes", "SHOULD"
    ),
    "B14": _offline("An icon that is neither at https: nor a picture in data: is refused.", "basic/index#icons"),
    "B16": _offline(
        "Whoever writes a tool with what is deprecated is warned by Python, and nothing of it reaches a wire.",
        "deprecated",
        "SHOULD",
    ),
    "X6a": _offline("A tool whose app is nowhere stops the start.", "basic/versioning"),
    "X6b": _always("A tool with an app has a result for those who cannot show it.", "basic/versioning"),
    "X8": _always("Skills are there only if a folder of them was added.", "basic/versioning"),
}


def _beside(text: str, page: str = "", level: Level = "MUST", version: str = V2026_07_28) -> Requirement:
    spec = f"{version}/basic/authorization{page and '/'}{page}"
    return Requirement(text=text, spec=spec, level=level, transports=(), elsewhere="HTTP, beside MCP")


_DISCOVERY: Final = "authorization-server-discovery"
_REGISTRATION: Final = "client-registration"
_SECURITY: Final = "security-considerations"

_AUTHORIZATION: Final = {
    "O1a": _beside("The metadata of the resource are at its path and at the root, and name an issuer.", _DISCOVERY),
    "O1b": _beside("Who sends no token is told where they are.", _DISCOVERY),
    "O1c": _beside("Who sends no token is told for which scopes to ask, and never for offline_access.", "", "SHOULD"),
    "O2a": _beside("A token that is broken, over, or for somebody else gets 401.", _SECURITY),
    "O2b": _beside("A token in the address is not looked at.", ""),
    "O3a": _beside("What a token does not suffice for gets 403 with all scopes that it takes.", "", "SHOULD"),
    "O3b": _beside("A scope that implies another suffices for it.", ""),
    "O3c": _beside("A list that depends on scopes is for its caller alone.", ""),
    "O4a": _beside("The metadata of the issuer are the same at every address that is looked at.", _DISCOVERY),
    "O4b": _beside("A code needs S256, which the metadata promise.", _SECURITY),
    "O5": _beside("Whoever issues says its name in every answer to the browser, faults included.", _SECURITY, "SHOULD"),
    "O6a": _beside("Clients may be known by a document at an https address.", _REGISTRATION, "SHOULD"),
    "O6b": _beside("Clients may register themselves, with addresses that run nothing.", _REGISTRATION, "MAY"),
    "O7": _beside("Tokens are for the resource that was named, and for no other.", _SECURITY),
    "O8": _beside("The browser is sent to an address of the client, letter by letter.", _SECURITY),
    "O9a": _beside("A refresh token of a public client is good once, and its second use ends all.", _SECURITY),
    "O9b": _beside("Nobody keeps an answer with tokens.", _SECURITY),
    "O10": _beside("A client that knows no metadata of resources finds all at the root.", "", "MUST", V2025_03_26),
    "O11": _beside("A person sees who asks for what, in no frame, before anything is given.", _SECURITY),
}

CHAPTERS: Final = {
    "Base protocol": _BASE,
    "Messages": _MESSAGES,
    "Versions side by side": _NEGOTIATION,
    "Standard input and output, cancellation": _STDIO,
    "Progress, deadlines, subscriptions": _PATTERNS,
    "Asking the user": _ASKING,
    "HTTP": _HTTP,
    "Tools": _TOOLS,
    "Resources": _RESOURCES,
    "Prompts and completions": _PROMPTS,
    "Logs, pages, caches": _LOGS_AND_LISTS,
    "Tasks": _TASKS,
    "Extensions, and what is refused at registration": _OFFLINE,
    "Authorization": _AUTHORIZATION,
}

REQUIREMENTS: Final = {key: requirement for chapter in CHAPTERS.values() for key, requirement in chapter.items()}
