from html.parser import HTMLParser

from glam.analysis.formats import p_value
from glam.analysis.judge import judge
from glam.analysis.report import flat, render_report
from glam.analysis.sentences import winner_name
from glam.analysis.verdict import Verdict
from glam.config import replace


class Page(HTMLParser):
    """Collects what a page would load, its ids, and whether its tags nest."""

    VOID = ("meta", "br", "img", "link", "hr")

    def __init__(self, html: str):
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        values = dict(attrs)
        self.loads += [value for name in ("src", "href") if (value := values.get(name))]
        self.ids += [value for name in ("id",) if (value := values.get(name))]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_same_verdict_gives_the_same_bytes(verdict: Verdict):
    again = Verdict.model_validate_json(verdict.model_dump_json())
    assert again == verdict
    assert render_report(verdict) == render_report(again)


def test_the_page_needs_nothing_but_itself(verdict: Verdict):
    html = render_report(verdict)
    page = Page(html)
    assert page.open == []
    assert all(address.startswith("#") for address in page.loads)
    assert "<script" not in html
    assert "url(http" not in html
    assert "@import" not in html
    assert len(page.ids) == len(set(page.ids))


def test_every_chart_takes_its_colours_from_the_page(verdict: Verdict):
    html = render_report(verdict)
    assert html.count("<svg") == 6
    assert "var(--arm-0)" in html
    assert not any(colour in html for colour in ("#010101", "#020202", "#030303", "#0a0101"))


def test_every_task_has_its_p_values_and_who_is_better_or_why_nobody(verdict: Verdict):
    html = render_report(verdict)
    assert "Holm's p" in html
    contrast = verdict.contrasts[0]
    for task in contrast.tasks:
        assert f'<td class="n">{p_value(task.p_value)}</td>' in html.replace("&lt;", "<")
        assert winner_name(contrast, task) in html
    assert "too noisy at this size (would show" in html


def test_unknown_energy_is_shown_as_unknown(make_study, make_evidence):
    study = make_study()
    html = render_report(judge(study, make_evidence(study, energy_method="none")))
    assert "training joules: unknown" in html
    assert "Energy is unknown for at least one run." in html


def test_text_from_outside_is_escaped(verdict: Verdict):
    hostile = verdict.model_copy(update={"description": "<script>alert(1)</script>", "data": {"<b>": "<i>"}})
    html = render_report(hostile)
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html


def test_a_study_of_one_arm_has_a_report(make_study, make_evidence):
    study = make_study()
    alone = study.model_copy(update={"arms": {"dense": study.arms["dense"]}})
    html = render_report(judge(alone, make_evidence(alone)))
    assert "One arm, dense: nothing to compare it with." in html


def test_arms_share_a_chart_with_those_of_their_baseline_alone(rungs, make_evidence):
    verdict = judge(rungs, make_evidence(rungs))
    assert verdict.groups == {
        f"{size}_dense": tuple(arm for arm in rungs.arms if arm.startswith(size)) for size in ("small", "large")
    }
    html = render_report(verdict)
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    assert html.count("Held-out loss against training tokens") == 2
    assert "Seeds 0, 1, 2, not all of them for every arm." in html


def test_two_baselines_of_one_arm_keep_their_charts_apart(rungs, make_evidence):
    both = replace(rungs, pairs=(("small_sparse", "small_dense"), ("small_sparse", "small_sparse_8e")), match="none")
    page = Page(render_report(judge(both, make_evidence(both))))
    assert len(page.ids) == len(set(page.ids))


def test_facts_are_flattened_in_order():
    assert flat({"a": {"b": 1200, "c": None}, "d": 0.5, "e": True}) == [
        ("a.b", "1,200"),
        ("a.c", "unknown"),
        ("d", "0.5000"),
        ("e", "True"),
    ]
