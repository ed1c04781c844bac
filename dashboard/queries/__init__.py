"""What the pages read from the store. Pure of widgets; what has not changed is read once.

A folder that cannot be read shows as broken, with the reason, and harms no other.
"""

from dashboard.queries.files import Broken, store_root
from dashboard.queries.inference import InferenceEntry, list_inference
from dashboard.queries.runs import RunEntry, list_runs
from dashboard.queries.verdicts import VerdictEntry, list_verdicts, read_verdict

__all__ = [
    "Broken",
    "InferenceEntry",
    "RunEntry",
    "VerdictEntry",
    "list_inference",
    "list_runs",
    "list_verdicts",
    "read_verdict",
    "store_root",
]
