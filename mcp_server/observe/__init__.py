"""Seeing inside: what happened goes out as lines, as numbers and as spans.

    CallRecord ──┬── logs.CallLog        one line per call, JSON or text    ─┐
                 │   logging, warnings   everything else that is said       ─┴── writer ── standard error
                 ├── metrics.Metrics     counters and histograms for `/metrics`
                 └── traces.Tracer       spans, joined to the caller's own trace

`records` holds what is told and under which names it may be kept; `lines` holds the words that people search the log
for; `formats` turns either into a line; `cleaning` sees to it that nothing in it was forged by a stranger.

Three rules hold in this room. What a caller sent (arguments, headers, tokens, query strings) is never written down.
Whoever reads slowly, or not at all, never makes a call wait. And what is not enabled is not imported: metrics and
traces each have a twin that does nothing, so that nobody has to ask whether they are on.

Nothing here knows the protocol: methods, tools and transports are plain strings passed in.
"""
