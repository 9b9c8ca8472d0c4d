"""A day of mixed traffic in less: ``cd tests && uv run python -m soak --minutes 30``.

Short and long connections, compressed, binary and large messages, refusals and ends of every kind go through one proxy,
while its filters are switched, the disk is full twice and the backend is restarted. What is checked: memory is flat
after the first minute, no descriptor is leaked, nothing went missing from the recording that is not counted there, the
files load.
"""
