"""From a request to its answer: who asks, in which version, may they, how long may it take, how is it stopped.

    Connection ── bytes in, bytes out, for a client at the end of a pipe
        Engine ── the ladder of checks, and the tables of methods
            Call ── one request being answered; settled once
            Service ── the thing that answers (a protocol class: see `service`)
        Hub, Feed ── news of changes for those who asked

Nothing here knows Starlette, files or sockets, or that a tool is a Python function.
"""
