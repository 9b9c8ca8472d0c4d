"""All faults, and healthy programs. Importing this fills :data:`lab.table.FAULTS`."""

from lab.faults import (  # noqa: F401
    between,
    bytes_sent,
    client,
    handlers,
    handshake,
    healthy,
    heartbeat,
    identity,
    message,
    open_set,
    promises,
    protocols,
    two_bugs,
    values,
)
