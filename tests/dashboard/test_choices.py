"""Choices stand in the address, hold from page to page, and take nothing from an address that is no option."""

from streamlit.testing.v1 import AppTest


def page(options: str) -> None:
    import streamlit as st

    from dashboard.parts import choices

    titles = {each: each.upper() for each in options.split()}
    one = choices.one_of("One", titles, "one")
    some = choices.some_of("Some", titles, "some", default=[options.split()[0]], most=2)
    number = choices.number("Number", "number", low=0.0, high=2.0, step=0.5, default=1.0)
    text = choices.text("Text", "text")
    if choices.one_of_few("Few", {"yes": "Yes", "no": "No"}, "few") == "yes":
        st.text(f"{one} {'+'.join(some)} {number:g} [{text}]")


def run(options: str = "a b c", **address: str | list[str]) -> AppTest:
    app = AppTest.from_function(page, args=(options,))
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def address(app: AppTest) -> dict[str, object]:
    return dict(app.query_params)


def test_defaults_leave_the_address_empty():
    app = run()
    assert app.text[0].value == "a a 1 []"
    assert address(app) == {}


def test_what_is_chosen_is_written_and_read_again():
    app = run()
    app.selectbox[0].select("b").run()
    app.multiselect[0].set_value(["b", "c"]).run()
    app.number_input[0].set_value(1.5).run()
    app.text_input[0].set_value("x y").run()
    assert app.text[0].value == "b b+c 1.5 [x y]"
    assert address(app) == {"one": "b", "some": ["b", "c"], "number": "1.5", "text": "x y"}
    again = run(one="b", some=["b", "c"], number="1.5", text="x y")
    assert again.text[0].value == app.text[0].value


def test_choosing_the_default_again_clears_the_address():
    app = run(one="b")
    app.selectbox[0].select("a").run()
    assert "one" not in app.query_params


def test_no_option_no_number_and_too_many_are_passed_over():
    app = run(one="z", some=["z", "c", "b", "a", "c"], number="7", few="perhaps")
    assert app.text[0].value == "a c+b 1 []"
    assert run(number="much").text[0].value == "a a 1 []"
    assert run(number="nan").text[0].value == "a a 1 []"


def test_an_address_that_changes_under_an_open_page_is_followed():
    app = run()
    app.selectbox[0].select("b").run()
    app.query_params["one"] = "c"  # as going back in the browser does
    app.run()
    assert app.text[0].value == "c a 1 []"


def test_nothing_chosen_stays_nothing_chosen():
    app = run()
    app.multiselect[0].set_value([]).run()
    app.selectbox[0].select("b").run()
    assert app.text[0].value == "b  1 []"
