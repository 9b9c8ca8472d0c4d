"""Settings for the whole suite."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long one example takes depends on what else the machine is doing.
settings.register_profile("hangup", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hangup")
