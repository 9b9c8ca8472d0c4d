"""The lab: small real programs, each with one known fault or none, recorded through ``hangup proxy`` and labelled.

A program is a server script on a stack, a client script on a library, and what stands between. Scripts say what an
end does when it is connected to, hears a message, or hears none for too long (:mod:`lab.script`); a stack plays them
with its own idioms, so that an exception, a return or a missing pong has the consequences that it has there. Names,
payloads, envelopes, timers, routes and the number of connections are drawn from a seed (:mod:`lab.app`). The faults
are in :mod:`lab.faults`; ``python -m lab.record`` records them and ``python -m lab.list`` says what there is.
"""
