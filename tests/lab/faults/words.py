"""Names that the vocabulary does not have yet, in one place, so that they can be changed in one place."""

STATE = "message/out-of-state"
"""A message that the state reached does not allow."""
RATE = "process/message-rate-limit"
NOT_READING = "server-handler/not-reading"
DONE = "client-lifecycle/done"
LEAK = "client-lifecycle/socket-leak"
ACCEPT_KEY = "handshake/accept-key"
UPGRADE_DROPPED = "intermediary/upgrade-dropped"
PROXY_RESTART = "intermediary/restart"

PROPOSED = (STATE, RATE, NOT_READING, DONE, LEAK, ACCEPT_KEY, UPGRADE_DROPPED, PROXY_RESTART)
