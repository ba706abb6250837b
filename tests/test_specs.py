"""Specs: one grammar, one text form, and nothing in a text is ever run."""

import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simlab import perturb, specs
from simlab.methods import hashes
from simlab.methods import registry as methods
from simlab.specs import (
    Call,
    between,
    bind,
    canonical,
    checked,
    code_digest,
    complete,
    lookup,
    parse,
    split,
)

ROOT = Path(__file__).resolve().parents[1]

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,9}", fullmatch=True).filter(
    lambda name: name not in ("true", "none") and not _is_keyword(name)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-(2**60), 2**60),
    TEXTS,
    st.floats(-1e15, 1e15, allow_nan=False),
)
VALUES = st.one_of(PLAIN, st.lists(PLAIN, max_size=3).map(tuple))
CALLS = st.builds(Call, NAMES, st.dictionaries(NAMES, VALUES, max_size=4))


def _is_keyword(name):
    import keyword

    return keyword.iskeyword(name)


def crop(
    image,
    rng,
    *,
    area: float = 0.5,
    anchor: Literal["random", "center"] = "random",
    size: int = 3,
    title: str | None = None,
    flip: bool = False,
    colour: tuple = (0, 0, 0),
):
    return image


# --- what is read


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("", ()),
        ("  \n ", ()),
        ("crop", (Call("crop"),)),
        ("crop()", (Call("crop"),)),
        (" crop ( area = 0.50 , ) ", (Call("crop", {"area": 0.5}),)),
        ("crop+mirror", (Call("crop"), Call("mirror"))),
        ("a+b(c=1)+d+e", (Call("a"), Call("b", {"c": 1}), Call("d"), Call("e"))),
        ("(a+b)+c", (Call("a"), Call("b"), Call("c"))),
        ("a(x=-1, y=1e3, z=0x10)", (Call("a", {"x": -1, "y": 1000.0, "z": 16}),)),
        ("a(x=True, y=None, z='it''s')", (Call("a", {"x": True, "y": None, "z": "its"}),)),
        ('a(x="日本 \\u65e5 \\n #, + )")', (Call("a", {"x": "日本 日 \n #, + )"}),)),
        ("a(x=(1, 2.5, 'b'), y=())", (Call("a", {"x": (1, 2.5, "b"), "y": ()}),)),
        ("日本(度=1)", (Call("日本", {"度": 1}),)),
    ],
)
def test_grammar(text, calls):
    assert parse(text) == calls


HOSTILE = [
    "__import__('os').system('touch canary')",
    "crop(area=__import__('os').system('touch canary'))",
    "eval('1')",
    "exec('x')",
    "open('canary', 'w')",
    "crop(area=open('canary', 'w'))",
    "crop.__class__",
    "crop(area=0.5).mirror",
    "(lambda: 0)()",
    "lambda: 0",
    "[crop]",
    "{crop}",
    "{'a': 1}",
    "(crop, mirror)",
    "[x for x in y]",
    "crop if 1 else mirror",
    "crop or mirror",
    "not crop",
    "crop - mirror",
    "crop * 2",
    "-crop",
    "crop == mirror",
    "crop + 1",
    "1",
    "'crop'",
    "True",
    "None",
    "...",
    "crop()()",
    "crop[0]",
    "f'{crop}'",
    "(x := crop)",
    "await crop",
    "yield crop",
    "*crop",
    "crop(0.5)",
    "crop(*a)",
    "crop(**{'area': 1})",
    "crop(area=1, area=2)",
    "crop(area=x)",
    "crop(area=[1])",
    "crop(area={1})",
    "crop(area={})",
    "crop(area=1+1)",
    "crop(area=1j)",
    "crop(area=1e999)",
    "crop(area=-1e999)",
    "crop(area=b'x')",
    "crop(area=...)",
    "crop(area=f'{1}')",
    "crop(area='a' 'b'.c)",
    "crop(area=(1, (2, 3)))",
    "crop(area=10**9)",
    "crop(area=" + "9" * 400 + ")",
    "crop(area=0x" + "f" * 100 + ")",
    "crop(area='\\ud800')",
    "crop(area='\\N{no such}')",
    "crop(area=",
    "crop)",
    "crop(area 1)",
    "crop,mirror",
    "crop;mirror",
    "crop\nmirror",
    "import os",
    "crop=1",
    "crop\0",
    "crop(title='\0')",
    "\ud800",
    "crop # mirror",
    "crop(area=1 # )\n)",
    "crop+(mirror+blur)",
    "crop+",
    "+crop",
    "a" * 2001,
    "(" * 500 + ")" * 500,
    "-" * 1900 + "1",
    "crop(area=" + "(" * 600 + "1" + ")" * 600 + ")",
    "crop(title='" + "\x01" * 1900 + "')",
    "a+" * 990 + "a(b=1)(c=2)",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_anything_else_is_refused_in_one_line_and_runs_nothing(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = time.perf_counter()
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250
    assert not list(tmp_path.iterdir()) and time.perf_counter() - start < 2


@pytest.mark.parametrize("value", [None, 5, b"crop", ["crop"], float("nan")])
def test_a_spec_is_text(value):
    with pytest.raises(ValueError, match="a spec is text such as"):
        parse(value)


def test_a_long_chain_is_read():
    assert len(parse("+".join(["ab"] * 600))) == 600


def test_odd_escapes_warn_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse(r"text(content='\d')") == (Call("text", {"content": r"\d"}),)


@settings(max_examples=300)
@given(st.text(max_size=60) | st.text("crop(ae=0.5)+mir'\"\\, \n#", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        calls = parse(text)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert parse("+".join(complete(call.name, call.arguments) for call in calls)) == calls


# --- what is written


@settings(max_examples=100)
@given(CALLS)
def test_what_is_written_out_is_read_as_it_was(call):
    assert parse(complete(call.name, call.arguments)) == (call,)


@settings(max_examples=100)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "area": st.floats(0, 1),
            "anchor": st.sampled_from(["random", "center"]),
            "size": st.integers(0, 9),
            "title": st.none() | TEXTS,
            "flip": st.booleans(),
            "colour": st.tuples(*[st.integers(0, 255)] * 3),
        },
    )
)
def test_canonical_is_one_form_for_equal_calls(arguments):
    bound = bind(Call("crop", arguments), crop)
    text = canonical("crop", bound, crop)
    (again,) = parse(text)
    assert bind(again, crop) == bound and canonical("crop", bind(again, crop), crop) == text
    turned = dict(reversed(arguments.items()))
    assert canonical("crop", bind(Call("crop", turned), crop), crop) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("crop()", "crop"),
        ("crop(area=0.5)", "crop"),
        ("crop(area=1)", "crop(area=1)"),
        ("crop(area=1.0)", "crop(area=1)"),
        ("crop(size=4.0)", "crop(size=4)"),
        ("crop(anchor='center', area=0.25)", 'crop(area=0.25, anchor="center")'),
        ("crop(title='a\"b\\\\')", r'crop(title="a\"b\\")'),
        ("crop(title='日本')", 'crop(title="日本")'),
        ("crop(colour=(1, 2, 3))", "crop(colour=(1, 2, 3))"),
        ("crop(colour=(1,))", "crop(colour=(1,))"),
        ("crop(flip=True)", "crop(flip=True)"),
        ("crop(area=1e-7)", "crop(area=1e-07)"),
    ],
)
def test_canonical_by_hand(text, expected):
    (call,) = parse(text)
    assert canonical("crop", bind(call, crop), crop) == expected


@pytest.mark.parametrize(
    "text", sorted({spec for preset in perturb.PRESETS.values() for spec in preset})
)
def test_presets_are_in_canonical_form_or_become_so(text):
    assert perturb.canonical(perturb.canonical(text)) == perturb.canonical(text)


@settings(max_examples=60)
@given(st.lists(CALLS, min_size=1, max_size=5))
def test_a_list_of_specs_is_split_where_it_was_joined(calls):
    texts = [complete(call.name, call.arguments) for call in calls]
    assert split(", ".join(texts)) == texts and split(" ,,".join(texts) + ",") == texts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        (" , ,", []),
        ("a, b", ["a", "b"]),
        ("a(x=1, y=(2, 3)), b+c", ["a(x=1, y=(2, 3))", "b+c"]),
        (r"""a(x="\\"), b""", [r"""a(x="\\")""", "b"]),
        (r"""a(x="\","), b""", [r"""a(x="\",")""", "b"]),
        ("a(x='),('), b", ["a(x='),(')", "b"]),
        ("a(x=',", ["a(x=',"]),
        ("a), b", ["a), b"]),
    ],
)
def test_split_by_hand(text, parts):
    assert split(text) == parts


# --- what fits


def test_bind_fills_in_defaults():
    assert bind(Call("crop", {"area": 0.3}), crop) == {
        "area": 0.3,
        "anchor": "random",
        "size": 3,
        "title": None,
        "flip": False,
        "colour": (0, 0, 0),
    }

    def paste(image, *, other=0): ...

    assert bind(Call("crop", {"size": 4, "other": 1}), crop, paste)["size"] == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"side": 1},
            "perturbation 'crop' has no argument 'side'; "
            "allowed: area, anchor, size, title, flip, colour",
        ),
        ({"area": "much"}, "area of 'crop' must be a number, not 'much'"),
        ({"area": True}, "area of 'crop' must be a number, not True"),
        ({"area": None}, "area of 'crop' must be a number, not None"),
        ({"size": 1.5}, "size of 'crop' must be a whole number, not 1.5"),
        ({"flip": 1}, "flip of 'crop' must be True or False, not 1"),
        ({"colour": 5}, "colour of 'crop' must be a tuple, not 5"),
        ({"anchor": "left"}, "anchor of 'crop' must be one of 'random', 'center', not 'left'"),
        ({"anchor": 1}, "anchor of 'crop' must be a text, not 1"),
    ],
)
def test_what_does_not_fit_is_named(arguments, words):
    with pytest.raises(ValueError) as caught:
        bind(Call("crop", arguments), crop)
    assert str(caught.value) == words


def test_numbers_that_are_equal_are_the_same():
    assert type(bind(Call("crop", {"area": 1}), crop)["area"]) is float
    assert type(bind(Call("crop", {"size": 4.0}), crop)["size"]) is int


def test_an_argument_without_default_is_refused():
    def needs(image, *, area):
        return image

    with pytest.raises(ValueError, match="argument 'area' of 'needs' needs a default"):
        bind(Call("needs"), needs)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (between(0, 1), (0, 1, 0.5, np.float32(0.25)), (-0.1, 1.1, True, "1", None, float("nan"))),
        (between(1, 9, odd=True), (1, 3, 9), (2, 0, 11, 1.5)),
    ],
)
def test_between(rule, good, bad):
    assert all(rule.allows(value) for value in good) and not any(
        rule.allows(value) for value in bad
    )


def test_a_checked_function_refuses_in_every_call():
    @checked
    def area(image, *, share: Annotated[float, between(0, 1)] | None = 0.5):
        return share

    assert area(None) == 0.5 and area(None, share=None) is None and area(None, share=1) == 1
    for wrong in (2, "x", True):
        with pytest.raises(ValueError, match="share of 'area' must be a number"):
            area(None, share=wrong)
    with pytest.raises(ValueError, match="no argument 'part'; allowed: share"):
        area(None, part=1)


def test_lookup_names_what_is_allowed_and_the_nearest():
    with pytest.raises(
        ValueError, match=r"^unknown fruit 'aple' \(did you mean 'apple'\?\); allowed: apple, pear$"
    ):
        lookup("aple", {"apple": 1, "pear": 2}, "fruit")
    with pytest.raises(ValueError, match=r"^unknown fruit 'xyz'; allowed"):
        lookup("xyz", {"apple": 1, "pear": 2}, "fruit")


@pytest.mark.parametrize(
    "registry", [methods.REGISTRY, perturb.REGISTRY], ids=["methods", "perturbations"]
)
def test_every_registered_name_can_be_written_in_a_spec(registry):
    for name in registry:
        assert parse(name) == (Call(name),) and split(f"{name}, {name}") == [name, name]


# --- the code of a user's function


def defined(source, name="f"):
    """What a cell of a notebook, or a prompt, defines."""
    names = {"__name__": "notebook", "np": np}
    exec(textwrap.dedent(source), names)
    return names[name]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f = lambda x: np.mean(x)", "f = lambda x: np.std(x)"),
        ("f = lambda x: x + 1", "f = lambda x: x + 2"),
        ("def f(x): return [y for y in x if y]", "def f(x): return [y for y in x if not y]"),
        ("K = 1\ndef f(x): return x * K", "K = 2\ndef f(x): return x * K"),
        ("K = [1, 2]\ndef f(x): return x * K[0]", "K = [2, 2]\ndef f(x): return x * K[0]"),
        ("K = {'a': 1}\ndef f(x): return K[x]", "K = {'a': 2}\ndef f(x): return K[x]"),
        ("K = np.zeros(5000)\ndef f(x): return x * K", "K = np.ones(5000)\ndef f(x): return x * K"),
        (
            "K = np.zeros((2, 3))\ndef f(x): return x * K",
            "K = np.zeros((3, 2))\ndef f(x): return x * K",
        ),
        ("def g(x): return 1\ndef f(x): return g(x)", "def g(x): return 2\ndef f(x): return g(x)"),
        (
            "def m(k):\n    return lambda x: x * k\nf = m(1)",
            "def m(k):\n    return lambda x: x * k\nf = m(2)",
        ),
    ],
)
def test_the_digest_of_code_changes_with_what_it_does(one, other):
    assert code_digest(defined(one)) != code_digest(defined(other))
    assert code_digest(defined(one)) == code_digest(defined(one))


def test_the_digest_of_code_is_the_same_in_every_process():
    script = (
        "from simlab.specs import code_digest\n"
        "names = {'__name__': 'notebook'}\n"
        "exec('K = [9]\\ndef g(x): return {1, 2}\\n'\n"
        "     'def f(x): return g(K) if x else [y for y in g(K)]', names)\n"
        "print(code_digest(names['f']))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(runs) == 1 and runs.pop().startswith("code:")


def test_the_packages_own_functions_have_versions_instead():
    assert code_digest(specs.parse) == "" and code_digest(hashes.phash) == ""
    assert code_digest(crop).startswith("code:")
