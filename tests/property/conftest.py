"""How hypothesis runs here: no deadlines (the machine is shared), and what failed is printed so that it can be run again."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "cassmirror", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("cassmirror")
