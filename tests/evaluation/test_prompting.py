import pytest

from glam.evaluation.prompting import SEPARATOR, build_prompt, choose_demonstrations, split_choice
from glam.evaluation.task import Item


def item(name: str, *, cluster: str | None = None, prompt: str = "one two three", choices=(" four", " five")) -> Item:
    return Item(name, cluster or name, prompt, choices, 0, 0.5)


POOL = [item(f"p{number}", cluster=f"c{number % 5}", prompt=f"q{number} word") for number in range(20)]


def test_demonstrations_come_from_other_clusters_and_never_the_item():
    asked = POOL[3]
    shown = choose_demonstrations(asked, POOL, num_shots=8, seed=0)
    assert len(shown) == len({each.id for each in shown}) == 8
    assert asked not in shown
    assert asked.cluster not in {each.cluster for each in shown}


def test_demonstrations_depend_on_seed_and_item_and_not_on_the_pools_order():
    shown = choose_demonstrations(POOL[0], POOL, num_shots=4, seed=0)
    assert choose_demonstrations(POOL[0], POOL[::-1], num_shots=4, seed=0) == shown
    assert choose_demonstrations(POOL[0], POOL, num_shots=4, seed=1) != shown
    assert choose_demonstrations(POOL[5], POOL, num_shots=4, seed=0) != shown


def test_the_last_of_four_shots_is_the_one_shot():
    four = choose_demonstrations(POOL[0], POOL, num_shots=4, seed=0)
    assert choose_demonstrations(POOL[0], POOL, num_shots=1, seed=0) == four[-1:]


def test_a_pool_of_one_cluster_gives_no_demonstration():
    pool = [item(f"p{number}", cluster="only") for number in range(3)]
    assert choose_demonstrations(pool[0], pool, num_shots=2, seed=0) == []


def test_a_prompt_is_the_solved_demonstrations_and_the_item(tokenizer):
    asked, shown = item("x"), POOL[:2]
    prompt = build_prompt(asked, shown, tokenizer=tokenizer, sequence_length=99)
    assert prompt.demonstrations == ("p0", "p1")
    assert prompt.truncated_tokens == 0
    for row, choice, count in zip(prompt.rows, asked.choices, prompt.choice_tokens, strict=True):
        assert row[0] == tokenizer.end_of_text
        expected = SEPARATOR.join(["q0 word four", "q1 word four", "one two three" + choice])
        assert tokenizer.decode(row) == expected
        assert tokenizer.decode(row[-count:]) == choice


@pytest.mark.parametrize("sequence_length", range(1, 30))
def test_whole_demonstrations_go_first_and_every_cut_is_recorded(tokenizer, sequence_length: int):
    asked = item("x")
    prompt = build_prompt(asked, POOL[:4], tokenizer=tokenizer, sequence_length=sequence_length)
    assert all(len(row) <= sequence_length + 1 for row in prompt.rows)
    assert prompt.demonstrations == tuple(f"p{n}" for n in range(4))[4 - len(prompt.demonstrations) :]
    own = len(tokenizer.encode(asked.solved))
    assert prompt.truncated_tokens == max(0, own - sequence_length)
    if prompt.truncated_tokens:
        assert prompt.demonstrations == ()
    for row, choice in zip(prompt.rows, asked.choices, strict=True):
        assert tokenizer.decode(row).endswith(choice)


def test_a_choice_is_cut_out_of_the_encoding_of_the_whole(tokenizer):
    before, choice = split_choice(tokenizer, "one two", " three four")
    assert tokenizer.decode(before) == "one two"
    assert tokenizer.decode(choice) == " three four"


def test_a_token_across_the_boundary_counts_to_the_choice(tokenizer):
    before, choice = split_choice(tokenizer, "one tw", "o three")
    assert tokenizer.decode(before) == "one"
    assert tokenizer.decode(choice) == " two three"
