"""Where Ray's work may run, for whoever measures it from here."""

import ray


def on_one_node() -> bool:
    """Whether the cluster is this one machine, so that what it uses can be read here. Expects a connected Ray."""
    return sum(node["Alive"] for node in ray.nodes()) == 1
