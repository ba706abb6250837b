"""Specs: the one small text grammar in which perturbations and methods are named.

``"crop(area=0.5)+recompress(quality=30)"`` is read with :mod:`ast`, never evaluated: calls, names
and literals with ``+`` for chains are accepted and nothing else.
"""

import ast
import difflib
import functools
import hashlib
import inspect
import json
import math
import numbers
import re
import types
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import (
    Any,
    Literal,
    NamedTuple,
    ParamSpec,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

Arguments: TypeAlias = Mapping[str, Any]
"""Keyword arguments of a call, by name."""

Names: TypeAlias = str | Iterable[str]
"""Methods, metrics or the like: a text with commas, one name, or a list; see :func:`names`."""

MAX_LENGTH = 2000
"""Longest accepted spec, in characters, also when written out: a spec comes from a CSV cell and is
untrusted.
"""

# by the type of a default, what its values are, in words
_TYPES = {bool: "True or False", numbers.Real: "a number", str: "a text", tuple: "a tuple"}

# no attributes of the functions, which functools.wraps would copy to what is wrapped around them
_UNCHECKED: dict[Callable, Callable] = {}

# a quoted text, or one character
_TOKEN = re.compile(r""""(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|.""", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """One step of a spec: a name and its keyword arguments."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """What an argument may be: `allows(value)` decides, `words` says it in a message.

    It goes into an annotation.
    """

    words: str
    allows: Callable[[Any], bool] = field(repr=False)


def between(low: float, high: float, *, odd: bool = False) -> Rule:
    """Return the rule for a number from `low` to `high`, both allowed.

    >>> between(0, 1).words
    'a number from 0 to 1'
    """

    def allows(value: Any) -> bool:
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return number and low <= value <= high and (not odd or value % 2 == 1)

    return Rule(f"{'an odd' if odd else 'a'} number from {low:g} to {high:g}", allows)


def check_number(
    name: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    whole: bool = False,
    within: bool = False,
) -> None:
    """Raise unless the argument `name` is a finite number from `low` to `high`; NumPy's numbers are
    numbers too.

    Args:
        whole: only whole numbers are allowed.
        within: `low` and `high` themselves are not allowed.

    Raises:
        ValueError: one line: the argument, what is allowed, what was given.

    >>> check_number("max_fpr", 5, 0, 1, within=True)
    Traceback (most recent call last):
    ValueError: max_fpr must be between 0 and 1, not 5
    """
    kind = numbers.Integral if whole else numbers.Real
    if isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value):
        inside = low < value < high if within else low <= value <= high
        if inside:
            return
    noun = "a whole number" if whole else "a finite number"
    if within:
        allowed = f"between {low:g} and {high:g}"
    elif high < math.inf:
        allowed = f"{noun} from {low:g} to {high:g}"
    elif low > -math.inf:
        allowed = f"{noun}, {low:g} or more"
    else:
        allowed = noun
    raise ValueError(f"{name} must be {allowed}, {_given(value)}")


def check_choice(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raise unless the argument `name` is one of the allowed texts.

    >>> check_choice("design", "variant", ["original", "pairs"])
    Traceback (most recent call last):
    ValueError: design must be one of original, pairs, not 'variant'
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, {_given(value)}")


def check_kind(name: str, value: Any, kind: Any, words: str) -> None:
    """Raise unless the argument `name` is of this kind, which `words` call.

    >>> check_kind("title", 5, str, "a text")
    Traceback (most recent call last):
    ValueError: title must be a text, not 5
    """
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be {words}, {_given(value)}")


def by_name(name: str, value: Any) -> dict[str, Any]:
    """Return what the argument `name` gives for each of several names, as a dict.

    Raises:
        ValueError: it is no dict, nor anything like one.
    """
    if not hasattr(value, "items"):
        raise ValueError(f"{name} must be a dict such as {{'phash': 8}}, {_given(value)}")
    return dict(value)


def listed(name: str, value: Any) -> list:
    """Return what the argument `name` lists, as a list.

    Raises:
        ValueError: it is a text, a dict, a table or a single thing.
    """
    is_list = isinstance(value, Iterable) and getattr(value, "ndim", 1) == 1
    if isinstance(value, str | bytes | Mapping) or not is_list:
        raise ValueError(f"{name} must be a list, {_given(value)}")
    return list(value)


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Raise unless the argument `name` is a whole number of `least` or more."""
    check_number(name, value, least, whole=True)


def check_share(name: str, value: Any) -> None:
    """Raise unless the argument `name` is a number between 0 and 1, neither of them."""
    check_number(name, value, 0, 1, within=True)


def checked(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Return the function with its keyword-only arguments checked in every call as :func:`bind`
    does.

    >>> @checked
    ... def crop(image, *, anchor: Literal["center", "random"] = "random"): ...
    >>> crop(None, anchor="left")
    Traceback (most recent call last):
    ValueError: anchor of 'crop' must be one of 'center', 'random', not 'left'
    """

    leading = inspect.getfullargspec(function).args

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        named = {name: options.pop(name) for name in leading if name in options}
        call = Call(function.__name__, dict(options))
        bound = bind(call, function, what="function")
        return function(*args, **named, **bound)

    _UNCHECKED[wrapper] = function
    return wrapper


def unchecked(function: Callable) -> Callable:
    """Return the function behind a :func:`checked` one, for who has checked the arguments.

    Any other is returned as it is.
    """
    return _UNCHECKED.get(function, function)


def parse(text: str) -> tuple[Call, ...]:
    """Return the steps of a spec, in order; ``()`` for the empty spec.

    Raises:
        ValueError: where `text` is anything but names and calls with literal keyword arguments,
            joined by ``+``.

    >>> parse("crop(area=0.5)+mirror")
    (Call(name='crop', arguments={'area': 0.5}), Call(name='mirror', arguments={}))
    """
    if not isinstance(text, str):
        raise ValueError(f"a spec is text such as 'crop(area=0.5)', not {type(text).__name__}")
    return _steps(text)


@functools.lru_cache(maxsize=1024)  # of a table's many rows, few have another spec
def _steps(text: str) -> tuple[Call, ...]:
    if not text.strip():
        return ()
    node = _expression(text)
    # iterative down the left side: `a+b+c+…` nests there, and a long chain must not exhaust the
    # stack
    calls = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        calls.insert(0, _call(node.right, text))
        node = node.left
    calls.insert(0, _call(node, text))
    written = [complete(call.name, call.arguments).removesuffix("()") for call in calls]
    _check_length("+".join(written))
    return tuple(calls)


def canonical(name: str, arguments: Arguments, *functions: Callable) -> str:
    """Return the one text form of a call: order of the signatures, arguments equal to their default
    left out.

    >>> def crop(image, rng, *, area=0.5, anchor="random"): ...
    >>> canonical("crop", {"anchor": "center", "area": 0.5}, crop)
    'crop(anchor="center")'
    """
    known = {}
    for function in functions:
        known |= _arguments_of(function)
    changed = {}
    for key, argument in known.items():
        value = arguments[key]
        if type(value) is not type(argument.default) or value != argument.default:
            changed[key] = value
    return complete(name, changed) if changed else name


def complete(name: str, arguments: Arguments) -> str:
    """Return a call with every argument written out: what a cache key needs, since defaults may
    change.

    >>> complete("phash", {"hash_size": 8})
    'phash(hash_size=8)'
    """
    return f"{name}({', '.join(f'{key}={_literal(value)}' for key, value in arguments.items())})"


def bind(
    call: Call, function: Callable, *others: Callable, what: str = "perturbation"
) -> dict[str, Any]:
    """Return all keyword arguments of `function` as `call` sets them, defaults filled in.

    A value must be of its default's type and fit the annotation: ``Annotated[float, between(0,
    1)]``, ``Literal["a", "b"]`` and ``… | None`` are understood.

    Args:
        others: functions that take the other arguments of the call, which are passed over.
        what: the kind of thing named, for messages.

    Raises:
        ValueError: naming the unknown argument and those allowed, or the value that does not fit
            and what would.
    """
    arguments = _arguments_of(function)
    known = dict(arguments)
    for other in others:
        known |= _arguments_of(other)
    unknown = [key for key in call.arguments if key not in known]
    if unknown:
        allowed = ", ".join(known) or "none"
        raise ValueError(f"{what} {call.name!r} has no argument {unknown[0]!r}; allowed: {allowed}")
    bound = {}
    for key, argument in arguments.items():
        value = call.arguments.get(key, argument.default)
        bound[key] = _fitting(f"{key} of {call.name!r}", value, argument)
    return bound


def call_named(function: Callable, arguments: Arguments) -> Any:
    """Return `function` called with those of the keyword arguments that its signature names.

    >>> call_named(lambda hash_size: hash_size**2, {"hash_size": 8, "other": 1})
    64
    """
    named = inspect.signature(function).parameters
    return function(**{key: value for key, value in arguments.items() if key in named})


def code_digest(function: Callable) -> str:
    """Return a digest of the source code of a function from outside the package; "" for the
    package's own.

    A user's function changes without a version: results cached from an earlier one must not be
    taken for new ones. What it uses counts too: other functions of its file or notebook, constants,
    and values it closes over.
    """
    if (getattr(function, "__module__", None) or "").startswith("simlab."):
        return ""
    return "code:" + hashlib.sha256("\n".join(_sources(function, set())).encode()).hexdigest()[:16]


def origin(function: Callable) -> tuple[str | None, str]:
    """Return where a function was defined: one defined again in a notebook has the same origin."""
    return getattr(function, "__module__", None), getattr(function, "__qualname__", repr(function))


def lookup(name: str, registry: Mapping[str, Any], what: str) -> Any:
    """Return ``registry[name]``.

    Raises:
        ValueError: one line that names what is allowed and the nearest spelling.
    """
    if name in registry:
        return registry[name]
    close = difflib.get_close_matches(name, registry, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise ValueError(f"unknown {what} {name!r}{hint}; allowed: {', '.join(registry)}")


def split(text: str) -> list[str]:
    """Return the specs of a comma-separated list; commas inside brackets or quotes do not separate.

    >>> split('text(length=20, size=0.1), crop')
    ['text(length=20, size=0.1)', 'crop']
    """
    parts = []
    depth = 0
    start = 0
    for token in _TOKEN.finditer(text):
        if token[0] == "," and depth == 0:
            parts.append(text[start : token.start()])
            start = token.end()
        elif token[0] in "([":
            depth += 1
        elif token[0] in ")]":
            depth -= 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def names(value: Names, what: str, known: Collection[str] = ()) -> list[str]:
    """Return the names in a text with commas, in one name or in a list of such, in order, without
    repeats.

    Args:
        what: the argument's name, for messages.
        known: names that are taken as they stand, whatever commas are in them.

    Raises:
        ValueError: none is named, or it is something else.

    >>> names("phash, dhash", "methods"), names(("phash", "dhash"), "methods")
    (['phash', 'dhash'], ['phash', 'dhash'])
    """
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, Iterable) or isinstance(entries, bytes | Mapping):
        raise ValueError(f"{what} must be a text such as 'a, b' or a list, {_given(value)}")
    found = []
    for entry in entries:
        if not isinstance(entry, str):
            raise ValueError(f"{what} must be named by text, {_given(entry)}")
        found += [entry] if entry in known else split(entry)
    if not found:
        raise ValueError(f"{what} must name one or more; there is none")
    return list(dict.fromkeys(found))


def one_name(value: Names, what: str, known: Collection[str] = ()) -> str:
    """Return the one name that is given, by itself or in a list.

    Raises:
        ValueError: none is given, several are, or it is something else.
    """
    found = names(value, what, known)
    if len(found) > 1:
        raise ValueError(f"{what} must name one, not {len(found)}: {', '.join(found)}")
    return found[0]


def _given(value: Any) -> str:
    """What was given, in words short enough for a message: a large object by its type."""
    if value is None or isinstance(value, str | numbers.Real):
        return f"not {value!r}"
    return f"not of type {type(value).__name__}"


def defaults_of(function: Callable) -> dict[str, Any]:
    """Return the keyword-only arguments of a function and their defaults, in order.

    Raises:
        ValueError: it is no function, or a keyword-only argument has no default: specs need one for
            every argument.
    """
    if not callable(function):
        raise ValueError(f"a function must be given, {_given(function)}")
    return {name: argument.default for name, argument in _arguments_of(function).items()}


class _Argument(NamedTuple):
    """What a signature says of a keyword-only argument: values are of its type, fitting a rule."""

    default: Any
    type: type | None
    may_be_none: bool
    rules: list[Rule]


@functools.cache
def _arguments_of(function: Callable) -> dict[str, _Argument]:
    """The keyword-only arguments of a function, read from its signature once."""
    hints = inspect.get_annotations(function)
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        default = parameter.default
        if default is parameter.empty:
            raise ValueError(f"argument {name!r} of {function.__name__!r} needs a default value")
        its_type = next((one for one in _TYPES if isinstance(default, one)), None)
        hint = hints.get(name, Any)
        # a hint is text under `from __future__ import annotations`
        in_text = isinstance(hint, str) and "None" in hint
        may_be_none = default is None or in_text or types.NoneType in get_args(hint)
        options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        rules = [_rule(option) for option in options]
        arguments[name] = _Argument(default, its_type, may_be_none, rules)
    return arguments


def _rule(option: Any) -> Rule:
    if option is types.NoneType:
        return Rule("None", lambda value: value is None)
    if get_origin(option) is Literal:
        allowed = get_args(option)
        return Rule(f"one of {', '.join(map(repr, allowed))}", allowed.__contains__)
    stated = [rule for rule in getattr(option, "__metadata__", ()) if isinstance(rule, Rule)]
    return stated[0] if stated else Rule("anything", lambda value: True)


def _sources(function: Callable, seen: set[Callable]) -> Iterator[str]:
    function = inspect.unwrap(function)
    seen.add(function)
    codes = list(_codes(getattr(function, "__code__", None)))
    try:
        yield inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt, or no plain function
        compiled = []
        for code in codes:
            constants = [one for one in code.co_consts if not isinstance(one, types.CodeType)]
            compiled.append((code.co_code, code.co_names, constants))
        yield repr(compiled or function)
    for name, value in sorted(_used(function, codes).items()):
        if isinstance(value, bool | int | float | str | bytes | tuple | list | dict):
            yield f"{name}={value!r}"
        elif callable(getattr(value, "tobytes", None)):  # an array, a picture
            shape = getattr(value, "shape", None)
            yield f"{name}={shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
        elif (
            inspect.isfunction(value)
            and value.__module__ == function.__module__
            and value not in seen
        ):
            yield from _sources(value, seen)


def _codes(code: types.CodeType | None) -> Iterator[types.CodeType]:
    """A function's code and that of the comprehensions and functions inside it."""
    if isinstance(code, types.CodeType):
        yield code
        for constant in code.co_consts:
            yield from _codes(constant)


def _used(function: Callable, codes: list[types.CodeType]) -> dict[str, Any]:
    """The values outside a function that its code names, as far as they are known now."""
    if not codes:
        return {}
    outside = {}
    for code in codes:
        known = [name for name in code.co_names if name in function.__globals__]
        outside |= {name: function.__globals__[name] for name in known}
    cells = zip(function.__code__.co_freevars, function.__closure__ or ())
    return outside | {name: cell.cell_contents for name, cell in cells}


def _expression(text: str) -> ast.expr:
    _check_length(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"cannot read the spec {_short(text)!r}; write it like 'crop(area=0.5)+mirror'"
        ) from error
    if any(token[0] == "#" for token in _TOKEN.finditer(text)):
        raise ValueError(f"the spec {_short(text)!r} has a comment, which would go unseen")
    return tree.body


def _check_length(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a spec of {len(text)} characters is too long (limit {MAX_LENGTH})")


def _call(node: ast.expr, text: str) -> Call:
    if isinstance(node, ast.Name):
        return Call(node.id)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise ValueError(
            f"the spec {_short(text)!r} may hold only names and calls such as 'crop(area=0.5)'"
        )
    names = [keyword.arg for keyword in node.keywords]
    if node.args or None in names or len(set(names)) < len(names):
        raise ValueError(
            f"arguments in the spec {_short(text)!r} are given by name, each once: 'crop(area=0.5)'"
        )
    arguments = {keyword.arg: _value(keyword.value, text) for keyword in node.keywords}
    return Call(node.func.id, arguments)


def _value(node: ast.expr, text: str) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        value = ...
    if not _allowed(value):
        raise ValueError(
            f"values in the spec {_short(text)!r} are numbers under 2**63, texts, True, False, "
            "None or tuples of them"
        )
    return value


def _allowed(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_allowed(item) and not isinstance(item, tuple) for item in value)
    if isinstance(value, str):
        return not re.search("[\ud800-\udfff]", value)  # no Unicode, and so in no file
    if isinstance(value, int | float):
        return abs(value) < 2**63  # and so neither infinite nor not-a-number
    return value is None


def _fitting(what: str, value: Any, argument: _Argument) -> Any:
    """The value in the type of its default, so that 5 and 5.0 are the same spec and cache key.

    One of another type, or that no rule allows, is refused.
    """
    expected = argument.type
    default = argument.default
    if isinstance(value, float) and not isinstance(default, float) and value.is_integer():
        value = int(value)
    elif isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if expected is not None and not (value is None and argument.may_be_none):
        is_other_bool = isinstance(value, bool) and expected is not bool
        if is_other_bool or not isinstance(value, expected):
            raise ValueError(f"{what} must be {_TYPES[expected]}, {_given(value)}")
        if expected is numbers.Real and isinstance(default, int) and value % 1:
            raise ValueError(f"{what} must be a whole number, not {value!r}")
    if not any(rule.allows(value) for rule in argument.rules):
        allowed = " or ".join(rule.words for rule in argument.rules)
        raise ValueError(f"{what} must be {allowed}, {_given(value)}")
    return value


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        items = ", ".join(map(_literal, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
