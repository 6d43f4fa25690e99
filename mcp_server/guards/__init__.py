"""Guards: what a request must pass before anybody reads what it says.

Each guard is one ASGI class in one file: everything is decided when it is built, `look` is the request and nothing
else. Guards that follow each other are one layer (`gate`), and what they let pass goes through one `passage`. They know
addresses, headers, sizes, keys and counts; they know no MCP method, no tool and no `Settings`.

The layers, outermost first; the order is the point:

    cors.Cors                 preflights are answered here, before a key is asked for
    addresses.ClientAddress   who is calling, whatever `X-Forwarded-For` claims         (refuses nothing)
    origin.OriginGuard        Host and Origin: DNS rebinding and foreign pages          403
    https.HttpsGuard          optional: plain HTTP from outside                         403
    bodies.BodyGuard          too large, too slow                                       413, 408
    limits.RateGuard          by address: strangers, and guessers of keys               429
    keys.KeyGuard             bearer keys, or the tokens of an authorization server     401
    limits.RateGuard          by key: those we know                                     429

What they find out travels in `scope["mcp"]` (`caller.Caller`); what they answer is made in `refusals`.
Beside them, for whoever needs them: `limiter.Limiter` (the counting, without HTTP; also used for limits by tool),
`slow` (the same counters for functions decorated with slowapi), `redact.Redactor` (configured secrets never leave).

Nothing is imported here: `caller`, `rates`, `windows`, `limiter`, `keyring` and `redact` work without Starlette.
"""
