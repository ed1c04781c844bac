"""The stack's Ray: one head node on loopback, as `python -m workers.ray_head --port PORT`, until it is told to stop.

Ends, with all of its processes, as soon as one of them does; the supervisor then starts it anew on the same ports.
"""

import argparse
import signal
import sys
import time

from ray._private.node import Node
from ray._private.parameter import RayParams

from glam import environment
from infra.lifeline import guarded
from infra.ports import is_free
from infra.processors import available_cpus
from infra.stack_file import ray_ports
from workers.cluster import MARK_VARIABLE, without_usage_reports

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_FOR_PORTS = 20.0
"""For what an earlier head left to give its ports back."""


def run_head(port: int) -> int:
    """Exit code: 0 after SIGTERM or SIGINT, 1 when a process of Ray's has ended by itself."""
    environment.apply()
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: stopping.append(got))
    with guarded(MARK_VARIABLE):
        _wait_for_ports(port)
        with without_usage_reports():
            node = Node(_parameters(port), head=True, shutdown_at_exit=False, spawn_reaper=False)
        sys.stdout.write(f"Ray listens at {node.address}; its logs are in {node.get_logs_dir_path()}\n")
        sys.stdout.flush()
        try:
            while not stopping:
                if ended := [f"{kind} (code {info.returncode})" for kind, info in node.dead_processes()]:
                    sys.stderr.write(f"Ray broke down: its {', '.join(ended)} is gone\n")
                    return 1
                time.sleep(SECONDS_BETWEEN_LOOKS)
        finally:
            node.kill_all_processes(check_alive=False, allow_graceful=bool(stopping))
    return 0


def _parameters(port: int) -> RayParams:
    """Not those of `ray start`, after which every other `ray.init()` of the machine would join this Ray."""
    gcs, raylet, objects, agent, agent_grpc, runtime_environments, metrics = ray_ports(port)
    return RayParams(
        node_ip_address=environment.LOOPBACK,
        gcs_server_port=gcs,
        node_manager_port=raylet,
        object_manager_port=objects,
        dashboard_agent_listen_port=agent,
        metrics_agent_port=agent_grpc,
        runtime_env_agent_port=runtime_environments,
        metrics_export_port=metrics,
        num_cpus=available_cpus(),
        include_dashboard=False,
        include_log_monitor=False,  # pyright: ignore[reportArgumentType] - drivers of ours ask for no worker's output
        no_monitor=True,  # it scales clusters
    )


def _wait_for_ports(port: int) -> None:
    deadline = time.monotonic() + SECONDS_FOR_PORTS
    while taken := [each for each in ray_ports(port) if not is_free(each)]:
        if time.monotonic() > deadline:
            raise SystemExit(f"ports {taken} are still in use after {SECONDS_FOR_PORTS:g} s")
        time.sleep(0.2)


def main() -> int:
    """Entry point of `python -m workers.ray_head`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    return run_head(parser.parse_args().port)


if __name__ == "__main__":
    sys.exit(main())
