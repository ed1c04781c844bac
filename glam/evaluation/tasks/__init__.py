"""TASKS: every task by name. A new one is a file here and a line in a table."""

from collections.abc import Mapping

from glam.evaluation.task import AskingTask, Task
from glam.evaluation.tasks.anli import ANLI_R1, ANLI_R2, ANLI_R3
from glam.evaluation.tasks.arc import ARC_CHALLENGE, ARC_EASY
from glam.evaluation.tasks.boolq import BOOLQ
from glam.evaluation.tasks.cb import CB
from glam.evaluation.tasks.continuation import CONTINUATION
from glam.evaluation.tasks.copa import COPA
from glam.evaluation.tasks.coqa import COQA
from glam.evaluation.tasks.drop import DROP
from glam.evaluation.tasks.heldout import HELDOUT
from glam.evaluation.tasks.hellaswag import HELLASWAG
from glam.evaluation.tasks.lambada import LAMBADA
from glam.evaluation.tasks.last_word import LAST_WORD
from glam.evaluation.tasks.multirc import MULTIRC
from glam.evaluation.tasks.name_function import NAME_FUNCTION
from glam.evaluation.tasks.nq_open import NQ_OPEN
from glam.evaluation.tasks.openbookqa import OPENBOOKQA
from glam.evaluation.tasks.piqa import PIQA
from glam.evaluation.tasks.quac import QUAC
from glam.evaluation.tasks.race import RACE_HIGH, RACE_MIDDLE
from glam.evaluation.tasks.record import RECORD
from glam.evaluation.tasks.rte import RTE
from glam.evaluation.tasks.squad_v2 import SQUAD_V2
from glam.evaluation.tasks.storycloze import STORYCLOZE
from glam.evaluation.tasks.triviaqa import TRIVIAQA
from glam.evaluation.tasks.web_questions import WEB_QUESTIONS
from glam.evaluation.tasks.wic import WIC
from glam.evaluation.tasks.winograd import WINOGRAD
from glam.evaluation.tasks.winogrande import WINOGRANDE
from glam.evaluation.tasks.wsc import WSC

PUBLISHED: Mapping[str, AskingTask] = {
    task.name: task
    for task in (
        *(TRIVIAQA, NQ_OPEN, WEB_QUESTIONS),
        *(LAMBADA, HELLASWAG, STORYCLOZE),
        *(WINOGRAD, WINOGRANDE),
        *(PIQA, ARC_EASY, ARC_CHALLENGE, OPENBOOKQA, RACE_MIDDLE, RACE_HIGH),
        *(DROP, COQA, QUAC, SQUAD_V2),
        *(BOOLQ, CB, COPA, RTE, WIC, WSC, MULTIRC, RECORD),
        *(ANLI_R1, ANLI_R2, ANLI_R3),
    )
}
"""The 29 of GLaM, in its order of categories."""
TASKS: Mapping[str, Task] = {
    **{task.name: task for task in (HELDOUT, LAST_WORD, CONTINUATION, NAME_FUNCTION)},
    **PUBLISHED,
}
"""And those about held-out text, for a machine without data."""
