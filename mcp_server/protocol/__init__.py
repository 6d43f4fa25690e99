"""JSON-RPC bytes to messages and back, for all five versions of MCP.

Two rules hold in this room. Nothing here does I/O, looks at a clock or knows asyncio: each function is from values to
values. And the form inside is that of the newest version; older ones exist only at the edge.

    bytes ── messages.parse ── JSON ── messages.shape ── Request ── modern.admit   takes the peer from the metadata
                                                                └── legacy.handshake  takes it from `initialize`

    Result | Prepared | Failure ── rendering.Rendering ── bytes, as `modern` or `legacy` have it

`versions` lists what we speak, `errors` is the one table of what can go wrong.
"""
