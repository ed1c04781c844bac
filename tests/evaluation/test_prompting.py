import pytest

from glam.evaluation.prompting import (
    SEPARATOR,
    build_prompt,
    choose_demonstrations,
    harness_demonstrations,
    split_choice,
)
from glam.evaluation.task import Item


def item(name: str, *, cluster: str | None = None, prompt: str = "one two three", choices=(" four", " five")) -> Item:
    solved = prompt + choices[0]
    return Item(id=name, cluster=cluster or name, prompt=prompt, choices=choices, right=(0,), solved=solved, chance=0.5)


POOL = [item(f"p{number}", cluster=f"c{number % 5}", prompt=f"q{number} word") for number in range(20)]


def test_demonstrations_come_from_other_clusters_and_never_the_item():
    asked = POOL[3]
    shown = choose_demonstrations(asked, POOL, num_shots=8, seed=0)
    assert len(shown) == len({each.id for each in shown}) == 8
    assert asked not in shown
    assert asked.cluster not in {each.cluster for each in shown}


def test_demonstrations_depend_on_seed_and_item():
    shown = choose_demonstrations(POOL[0], POOL, num_shots=4, seed=0)
    assert choose_demonstrations(POOL[0], POOL, num_shots=4, seed=0) == shown
    assert choose_demonstrations(POOL[0], POOL, num_shots=4, seed=1) != shown
    assert choose_demonstrations(POOL[5], POOL, num_shots=4, seed=0) != shown


def test_every_item_of_other_clusters_can_be_shown_in_the_end():
    shown = choose_demonstrations(POOL[0], POOL, num_shots=99, seed=0)
    assert {each.id for each in shown} == {each.id for each in POOL if each.cluster != POOL[0].cluster}


@pytest.mark.parametrize("pool", [POOL, [item(f"p{number}", cluster=f"c{number}") for number in range(300)]])
def test_the_last_k_of_n_shots_are_the_k_shots(pool: list[Item]):
    many = choose_demonstrations(POOL[0], pool, num_shots=12, seed=0)
    assert all(choose_demonstrations(POOL[0], pool, num_shots=k, seed=0) == many[12 - k :] for k in (0, 1, 5))


def test_the_harness_needs_as_many_examples_as_it_draws():
    with pytest.raises(ValueError, match="draws 3 examples an item, and there are 2 in all"):
        harness_demonstrations(POOL[:1], POOL[:2], num_shots=2, spare=True)
    assert harness_demonstrations(POOL[:2], [], num_shots=0, spare=True) == [[], []]


def test_a_pool_of_one_cluster_gives_no_demonstration():
    pool = [item(f"p{number}", cluster="only") for number in range(3)]
    assert choose_demonstrations(pool[0], pool, num_shots=2, seed=0) == []


def test_a_prompt_is_the_solved_demonstrations_and_the_item(tokenizer):
    asked, shown = item("x"), POOL[:2]
    prompt = build_prompt(asked, shown, tokenizer=tokenizer, sequence_length=99)
    assert prompt.demonstrations == ("p0", "p1")
    assert prompt.excess_tokens == 0
    assert prompt.text == SEPARATOR.join(["q0 word four", "q1 word four", "one two three"])
    for (context, continuation), choice in zip(prompt.requests, asked.choices, strict=True):
        assert context[0] == tokenizer.end_of_text
        assert tokenizer.decode(context) == prompt.text
        assert tokenizer.decode(continuation) == choice


@pytest.mark.parametrize("sequence_length", range(1, 30))
def test_whole_demonstrations_go_first_and_an_item_is_never_cut(tokenizer, sequence_length: int):
    asked = item("x")
    prompt = build_prompt(asked, POOL[:4], tokenizer=tokenizer, sequence_length=sequence_length)
    assert prompt.demonstrations == tuple(f"p{n}" for n in range(4))[4 - len(prompt.demonstrations) :]
    assert prompt.num_dropped == 4 - len(prompt.demonstrations)
    longest = max(len(context) + len(continuation) for context, continuation in prompt.requests)
    # The end of the text before is read, the last token is not.
    assert prompt.excess_tokens == max(0, len(tokenizer.encode(asked.solved)) - sequence_length)
    assert longest - 1 == (sequence_length + prompt.excess_tokens if prompt.excess_tokens else longest - 1)
    assert prompt.excess_tokens or longest - 1 <= sequence_length
    if prompt.excess_tokens:
        assert prompt.demonstrations == ()
    assert all(tokenizer.decode(context).endswith(asked.prompt) for context, _ in prompt.requests)


def test_an_answer_that_is_written_needs_room(tokenizer):
    asked = Item(id="x", cluster="x", prompt="one two", references=("three",), solved="one two three", chance=None)
    prompt = build_prompt(asked, [], tokenizer=tokenizer, sequence_length=9, max_new_tokens=6)
    ((context, continuation),) = prompt.requests
    assert (tokenizer.decode(context), continuation, prompt.excess_tokens) == ("one two", (), 0)
    assert build_prompt(asked, [], tokenizer=tokenizer, sequence_length=9, max_new_tokens=7).excess_tokens == 1


def test_demonstrations_may_change_the_form_of_the_question(tokenizer):
    asked = Item(
        id="x",
        cluster="x",
        prompt="he saw a",
        after_demonstrations="he saw a ____. ->",
        references=("dog",),
        solved="he saw a ____. -> dog",
        chance=None,
    )
    assert build_prompt(asked, [], tokenizer=tokenizer, sequence_length=99).text == "he saw a"
    assert build_prompt(asked, POOL[:1], tokenizer=tokenizer, sequence_length=99).text.endswith("he saw a ____. ->")
    alone = build_prompt(asked, POOL[:1], tokenizer=tokenizer, sequence_length=5)
    assert (alone.demonstrations, alone.text) == ((), "he saw a"), "one that does not fit is not there"
    assert alone.requests == build_prompt(asked, [], tokenizer=tokenizer, sequence_length=5).requests


def test_a_choice_is_cut_out_of_the_encoding_of_the_whole(tokenizer):
    before, choice = split_choice(tokenizer, "one two", " three four")
    assert tokenizer.decode(before) == "one two"
    assert tokenizer.decode(choice) == " three four"


def test_a_token_across_the_boundary_counts_to_the_choice(tokenizer):
    before, choice = split_choice(tokenizer, "one tw", "o three")
    assert tokenizer.decode(before) == "one"
    assert tokenizer.decode(choice) == " two three"
