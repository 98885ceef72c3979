"""What all tests share."""

from hypothesis import HealthCheck, settings

# The same examples each time, and on a busy machine as well as on an idle one.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
