"""What a plan warns of, and what it takes for granted, in words."""

from glam.plan.clusters import Cluster
from glam.plan.devices import ACHIEVABLE
from glam.plan.layout import why_not_runnable
from glam.plan.memory import USABLE_FRACTION
from glam.plan.search import Choice


def warnings(cluster: Cluster, chosen: Choice) -> list[str]:
    """What is not known, and what keeps the plan from being followed."""
    found: list[str] = []
    job = chosen.job
    if reason := why_not_runnable(job.layout, job.model):
        found.append(f"not to be run as it is: {reason}")
    if job.model.positions == "learned":
        found.append("the model is counted, not built")
    if cluster.device.watts is None:
        found.append("energy is unknown: no source gives the device's power")
    elif cluster.device.system_watts is None:
        found.append("power is the device's data sheet at full load, without processors, network and losses around it")
    missing = {"PUE": cluster.pue, "grid": cluster.grid_tonnes_per_mwh, "price": cluster.price_per_device_hour}
    if unknown := [name for name, value in missing.items() if value is None]:
        found.append(f"not known of this place, nor what follows from it: {', '.join(unknown)}")
    if job.train.global_batch_size % job.layout.replicas:
        found.append("replicas have unequal numbers of rows, and wait for those that have most")
    return found


def assumptions(cluster: Cluster, chosen: Choice) -> list[str]:
    """Each with its source."""
    achievable = ACHIEVABLE[cluster.device.kind]
    found = [
        f"products reach {achievable.fraction:.2g} of the peak: {achievable.source}",
        f"device: {cluster.device.source}",
        f"cluster: {cluster.source}",
        "experts are evenly loaded; nothing is taken for input, start, failures, checkpoints or held-out scoring",
    ]
    if cluster.num_devices > 1:
        found.append(
            "parameters are gathered and their gradients scattered beside computation; other exchanges are waited for"
        )
        found.append(f"links: {cluster.node.source}")
    if cluster.device.kind == "processor":
        found.append("memory as measured of a worker on a processor, within 10 %, in bfloat16 15 %")
    else:
        found.append(f"{USABLE_FRACTION:.0%} of the memory can be used; our code was never tried on such a device")
    if cluster.grid_source is not None:
        found.append(f"grid: {cluster.grid_source}")
    if not chosen.job.ours and chosen.job.train.precision == "bfloat16":
        found.append(
            "what glam train cannot run holds 16-bit weights and gradients, and float32 ones with the optimizer"
        )
    return found
