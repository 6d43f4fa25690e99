"""Extensions of the protocol: what one is to a server, and those that come along.

    contract        what an extension is, for authors of their own
    apps            pages that hosts show beside a tool's result      `server.app`, `@server.tool(ui=...)`
    skills          folders of instructions for agents                `server.add_skills`
    skill_folders   reading such folders from the disk
    frontmatter     the YAML at the head of a SKILL.md

An extension adds methods and says what it is called; how a request gets there, and which version it is in, is for
the engine. None of them knows of a transport.
"""

from mcp_server.extensions.contract import Extension, Method

__all__ = ["Extension", "Method"]
