"""Telemetry is off whatever the user's environment says; the rest is a default."""

from glam import environment


def test_telemetry_is_off_and_settings_of_the_user_stand() -> None:
    chosen = {"RAY_USAGE_STATS_ENABLED": "1", "GLOO_SOCKET_IFNAME": "eth0"}
    environment.apply(chosen)
    assert chosen["RAY_USAGE_STATS_ENABLED"] == "0"
    assert chosen["GLOO_SOCKET_IFNAME"] == "eth0"
    assert chosen["DO_NOT_TRACK"] == "1"
