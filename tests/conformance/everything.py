"""The server that the official conformance suite is run against, written on the public API only.

python -m tests.conformance.everything --port 8000 [--token T]
python -m tests.conformance.everything --stdio
"""

# pyright: reportDeprecated=false

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from mcp_server import (
    Audio,
    Context,
    Csp,
    EmbeddedResource,
    Header,
    Image,
    ProtocolError,
    Server,
    ToolError,
    UserMessage,
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
WAV = base64.b64decode("UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=")

server = Server(
    "everything", version="1.0.0", instructions="Everything that the conformance suite asks for.", lint="off"
)


# -- content -------------------------------------------------------------------------------------------------------


@server.tool
async def test_simple_text() -> str:
    """Answers with a line of text."""
    return "This is a simple text response for testing."


@server.tool
async def test_image_content() -> Image:
    """Answers with an image."""
    return Image(data=PNG, format="png")


@server.tool
async def test_audio_content() -> Audio:
    """Answers with a sound."""
    return Audio(data=WAV, format="wav")


@server.tool
async def test_embedded_resource() -> EmbeddedResource:
    """Answers with a resource in full."""
    return EmbeddedResource("test://embedded-resource", "This is an embedded resource.", "text/plain")


@server.tool
async def test_multiple_content_types() -> list[str | Image | EmbeddedResource]:
    """Answers with one of each."""
    resource = EmbeddedResource("test://mixed", '{"test": 1}', "application/json")
    return ["Multiple content types test:", Image(data=PNG, format="png"), resource]


@server.tool
async def test_error_handling() -> str:
    """Fails, and says so."""
    raise ToolError("This tool intentionally returns an error for testing")


# -- what is said before the answer ---------------------------------------------------------------------------------


@server.tool
async def test_tool_with_logging(ctx: Context) -> str:
    """Logs three lines while it works."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(line)
        await asyncio.sleep(0.05)
    return "Logged three lines."


@server.tool
async def test_tool_with_progress(ctx: Context) -> str:
    """Tells how far it is, three times."""
    for progress in (0, 50, 100):
        await ctx.progress(progress, 100, f"Completed step {progress} of 100")
        await asyncio.sleep(0.05)
    return "Told of progress three times."


@server.tool
async def test_logging_tool(ctx: Context) -> str:
    """Logs a line to whoever asked for lines."""
    await ctx.info("A line")
    return "Logged, if you asked for it."


# -- schemas and headers --------------------------------------------------------------------------------------------

SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


@server.tool(input_schema=SCHEMA_2020_12)
async def json_schema_2020_12_tool(**arguments: Any) -> str:
    """Takes arguments that a schema of 2020-12 describes."""
    return json.dumps(arguments)


@server.tool
async def test_x_mcp_header(region: Annotated[str, Header("Region"), Field(max_length=200)] = "") -> str:  # noqa: PT028 - a tool
    """Has an argument that clients repeat in a header."""
    return f"region={region}"


# -- asking the user and the client ------------------------------------------------------------------------------------

NAME_FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


class Person(BaseModel):
    """A form that is a model."""

    username: str = Field(description="How you are called")
    email: str = Field(description="Where you can be reached")


@server.tool
async def test_sampling(prompt: str, ctx: Context) -> str:
    """Has the client's model answer a prompt."""
    return f"LLM response: {(await ctx.sample(prompt, max_tokens=100)).text}"


@server.tool
async def test_elicitation(message: str, ctx: Context) -> str:
    """Has the user fill in a form."""
    answer = await ctx.elicit(message, Person)
    return f"User response: {answer.action}"


@server.tool
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """A form whose fields have defaults."""
    form = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": True},
        },
    }
    return f"Elicitation completed: {(await ctx.elicit('Review these', form)).action}"


@server.tool
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """A form with every kind of choice."""
    titled = [{"const": "value1", "title": "First Option"}, {"const": "value2", "title": "Second Option"}]
    untitled = ["option1", "option2", "option3"]
    form = {
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": untitled},
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {"type": "string", "enum": untitled, "enumNames": ["One", "Two", "Three"]},
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": untitled}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        },
    }
    return f"Elicitation completed: {(await ctx.elicit('Choose', form)).action}"


@server.tool
async def test_missing_capability(ctx: Context) -> str:
    """Needs a client that can sample."""
    return (await ctx.sample("Hello")).text


@server.tool
async def test_streaming_elicitation(ctx: Context) -> str:
    """Asks for a name, and never on the stream."""
    return (await ctx.elicit("Your name?", NAME_FORM)).action


@server.tool
async def test_input_required_result_elicitation(ctx: Context) -> str:
    """Asks for a name."""
    answer = await ctx.elicit("What is your name?", NAME_FORM, key="user_name")
    return f"Hello, {answer.data['name'] if answer.data else 'stranger'}!"


@server.tool
async def test_input_required_result_sampling(ctx: Context) -> str:
    """Asks the client's model."""
    return (await ctx.sample("What is the capital of France?", max_tokens=100)).text


@server.tool
async def test_input_required_result_list_roots(ctx: Context) -> str:
    """Asks for the client's roots."""
    return ", ".join(root["uri"] for root in await ctx.roots())


@server.tool
async def test_input_required_result_request_state(ctx: Context) -> str:
    """Has the client carry a state."""
    answer = await ctx.elicit("Go on?", {"type": "object", "properties": {"ok": {"type": "boolean"}}})
    return f"state-ok: {answer.action}"


@server.tool
async def test_input_required_result_multiple_inputs(ctx: Context) -> str:
    """Asks three things at once."""
    name, greeting, roots = await asyncio.gather(
        ctx.elicit("What is your name?", NAME_FORM), ctx.sample("Greet somebody", max_tokens=50), ctx.roots()
    )
    return f"{name.action}, {greeting.text}, {len(roots)} roots"


@server.tool
async def test_input_required_result_multi_round(ctx: Context) -> str:
    """Asks one thing after the other."""
    name = await ctx.elicit("Step 1: what is your name?", NAME_FORM)
    form = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}
    colour = await ctx.elicit("Step 2: what is your favourite colour?", form)
    return f"{name.action}, {colour.action}"


@server.tool
async def test_input_required_result_tampered_state(ctx: Context) -> str:
    """Has the client carry a state that it must not change."""
    return (await ctx.elicit("Go on?", {"type": "object", "properties": {"ok": {"type": "boolean"}}})).action


@server.tool
async def test_input_required_result_capabilities(ctx: Context) -> str:
    """Asks only what the client can answer."""
    if "elicitation" in ctx.client_capabilities:
        return (await ctx.elicit("Your name?", NAME_FORM)).action
    return (await ctx.sample("Say hello", max_tokens=50)).text


@server.prompt
async def test_input_required_result_prompt(ctx: Context) -> str:
    """A prompt that asks before it answers."""
    form = {"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]}
    answer = await ctx.elicit("What is it about?", form)
    return f"Use this context: {answer.data}"


# -- tasks -----------------------------------------------------------------------------------------------------------


@server.tool
async def greet(name: str) -> str:
    """Greets at once."""
    return f"Hello, {name}!"


@server.tool(task="optional")
async def slow_compute(seconds: float, label: str) -> str:
    """Takes as many seconds as it is told."""
    await asyncio.sleep(seconds)
    return f"{label}: computed for {seconds:g} s"


@server.tool(task="required")
async def failing_job() -> str:
    """Fails as a tool does."""
    raise ToolError("The job has failed")


@server.tool(task="required")
async def protocol_error_job() -> str:
    """Fails as the protocol does."""
    raise ProtocolError(-32603, "The job has broken")


@server.tool(task="optional")
async def confirm_delete(filename: str, ctx: Context) -> str:
    """Asks once, in the middle of the task."""
    form = {"type": "object", "properties": {"confirm": {"type": "boolean"}}}
    answer = await ctx.elicit(f"Delete {filename}?", form, key="confirm")
    return f"{filename}: {answer.action}"


@server.tool(task="optional")
async def multi_input(ctx: Context) -> str:
    """Asks two things at once, in the middle of the task."""
    name, sure = await asyncio.gather(
        ctx.elicit("Your name?", NAME_FORM, key="name"),
        ctx.elicit("Sure?", {"type": "object", "properties": {"confirm": {"type": "boolean"}}}, key="sure"),
    )
    return f"{name.action}, {sure.action}"


@server.tool(task="required", task_begins="when_told")
async def test_tool_with_task(ctx: Context) -> str:
    """Asks for a name, and only then becomes a task."""
    answer = await ctx.elicit("What is your name?", NAME_FORM, key="user_name")
    await ctx.begin_task()
    return f"Hello, {answer.data['name'] if answer.data else 'stranger'}!"


# -- lists that change -----------------------------------------------------------------------------------------------


@server.tool
async def test_trigger_tool_change(ctx: Context) -> str:
    """Tells listeners that the list of tools has changed."""
    ctx.notify_tools_changed()
    return "Told."


@server.tool
async def test_trigger_prompt_change(ctx: Context) -> str:
    """Tells listeners that the list of prompts has changed."""
    ctx.notify_prompts_changed()
    return "Told."


# -- extensions ------------------------------------------------------------------------------------------------------

server.add_skills(Path(__file__).with_name("skills"))


@server.tool(ui="ui://everything/clock")
async def show_time() -> str:
    """Tells the time, and shows it where apps can be shown."""
    return "It is noon."


@server.app("ui://everything/clock", csp=Csp(connect=["https://time.example.com"]), permissions=["clipboard-write"])
async def clock() -> str:
    """Shows the time."""
    return "<!doctype html><title>Clock</title><p>It is noon.</p>"


# -- for tests of our own --------------------------------------------------------------------------------------------

_ended: list[dict[str, str]] = []


@server.tool
async def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool
async def echo(text: str) -> str:
    """Gives the text back."""
    return text


@server.tool
async def slow(seconds: float, tag: str) -> str:
    """Takes its time, and remembers whether it was allowed to."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        _ended.append({"tag": tag, "ended": "cancelled"})
        raise
    _ended.append({"tag": tag, "ended": "done"})
    return tag


@server.tool
async def cancel_log() -> str:
    """How each slow call has ended, as JSON."""
    return json.dumps(_ended)


# -- resources -------------------------------------------------------------------------------------------------------


@server.resource("test://static-text", name="Static text", mime_type="text/plain")
async def static_text() -> str:
    """A text that never changes."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", name="Static binary", mime_type="image/png")
async def static_binary() -> bytes:
    """An image that never changes."""
    return PNG


@server.resource("test://watched-resource", name="Watched resource", mime_type="text/plain")
async def watched() -> str:
    """A text to subscribe to."""
    return "Watched resource content"


@server.resource("test://template/{id}/data", name="Template", mime_type="application/json")
async def template(id: str) -> dict[str, Any]:  # noqa: A002 - the name in the URI
    """Data under any id."""
    return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


# -- prompts ---------------------------------------------------------------------------------------------------------


@server.prompt
async def test_simple_prompt() -> str:
    """A prompt without arguments."""
    return "This is a simple prompt for testing."


@server.prompt
async def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with two arguments.

    Args:
        arg1: The first.
        arg2: The second.
    """
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt
async def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - as clients send it
    """A prompt that brings a resource along."""
    resource = EmbeddedResource(resourceUri, "Embedded resource content for testing.", "text/plain")
    return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]


@server.prompt
async def test_prompt_with_image() -> list[UserMessage]:
    """A prompt that brings an image along."""
    return [UserMessage(Image(data=PNG, format="png")), UserMessage("Please analyse the image above.")]


@server.completion("test_prompt_with_arguments", "arg1")
def complete_arg1(value: str) -> list[str]:
    """Values for the first argument."""
    return [each for each in ("test1", "test2", "paris") if each.startswith(value)]


def main() -> None:
    """Serve over HTTP or over stdio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--token")
    parser.add_argument("--stdio", action="store_true")
    options = parser.parse_args()
    if options.stdio:
        os.environ.setdefault("STORE_URL", "memory://")  # a fixture leaves nothing behind
        server.run()
        return
    from mcp_server.serving import serve

    os.environ.setdefault("RATE_LIMIT", "100000/minute")
    os.environ["MCP_APP"] = "tests.conformance.everything:server"
    serve(port=options.port, mcp_api_key=options.token)


if __name__ == "__main__":
    main()
