"""Networks that you bring: a file of weights (ONNX) becomes a method, its vector the feature.

:func:`from_onnx` registers one, :func:`from_file` those that a small TOML file names. Weights are
data: nothing is downloaded, and no code is read from a file.
"""

import functools
import hashlib
import importlib.util
import inspect
import os
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import cv2
import numpy as np
from numpy import ndarray
from PIL import Image, ImageOps

from simlab.images import Size, read_image
from simlab.methods import registry
from simlab.methods.alignment import uncorrelated, uncorrelated_pairs
from simlab.paths import AnyPath, expanded, sha256_of

Resample: TypeAlias = Literal["bilinear", "bicubic"]

Run: TypeAlias = Callable[[ndarray], dict[str, ndarray]]
"""A loaded network: float32 (1, 3, height, width) → its outputs by name."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of the red, green and blue of ImageNet's pictures, which most networks are trained with."""


def from_onnx(
    name: str,
    model: AnyPath,
    *,
    size: int | Size,
    resize: int | None = None,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    resample: Resample = "bilinear",
    output: str | None = None,
) -> None:
    """Register a network as a method: from then on its name works like that of any other.

    The feature is the network's vector, brought to length 1; the distance is 1 - cosine, from 0 to
    2. Vectors propose candidates in searches. OpenCV runs the network where it can, else
    onnxruntime, where that is installed (``simlab[onnx]``). The file's content is part of the
    cache's keys.

    Args:
        name: of the method, as in specs.
        model: an ONNX file, whose input is float32 (1, 3, height, width).
        size: width and height of the picture that it is given, or the side of a square.
        resize: the shorter side is brought to this, and the middle cut out (torchvision's
            ``Resize`` and ``CenterCrop``); None brings the whole picture to `size`.
        mean, std: of red, green and blue, which are from 0 to 1: ``(value - mean) / std``.
        resample: how pictures are scaled.
        output: the output that is the vector, where there are several.

    Raises:
        ValueError: the file is none that can be run, the output is no vector or not named, a number
            is out of range, or the name is taken.
    """
    width, height = _sides(size)
    if resize is not None and not _is_side(resize, least=max(width, height)):
        raise ValueError(f"resize must be {max(width, height)} (size) or more; given {resize!r}")
    if resample not in get_args(Resample):
        raise ValueError(f"resample must be 'bilinear' or 'bicubic'; given {resample!r}")
    path = expanded(model)
    network = Network(
        os.path.abspath(path),
        _digest(path),
        (width, height),
        resize,
        _three("mean", mean),
        _three("std", std),
        resample,
        output,
    )
    network(Image.linear_gradient("L"))  # it must run, and give a vector
    register_vectors(name, network, network.each)


def register_vectors(name: str, extract: Any, extract_many: Callable | None) -> None:
    """Register what makes a vector of a picture: two are apart by 1 - cosine, 0 to 2.

    It replaces one of its own type that has the name.

    Args:
        extract: has `identity()`, all that its vectors depend on as a text.
    """
    known = registry.REGISTRY.get(name)
    registry.register(
        name,
        extract,
        distance=uncorrelated,
        maximum=2.0,
        compare_many=uncorrelated_pairs,
        resources=extract.identity,
        feature_kind="vector",
        extract_many=extract_many,
        replace=known is not None and isinstance(known.extract, type(extract)),
    )


def from_file(path: AnyPath) -> list[str]:
    """Register the networks that a TOML file names, a table each; return their names.

    The keys are the arguments of :func:`from_onnx`; a relative `model` is looked for beside the
    file::

        [sscd]
        model = "sscd.onnx"
        size = 320

    Raises:
        ValueError: the file cannot be read, or a table of it is wrong.
    """
    file = expanded(path)
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{str(path)!r} is no TOML file that can be read: {error}") from error
    for name, table in tables.items():
        try:
            _register_table(name, table, file.parent)
        except ValueError as error:
            raise ValueError(f"[{name}] in {str(path)!r}: {error}") from error
    return list(tables)


def _register_table(name: str, table: Any, folder: Path) -> None:
    if not isinstance(table, dict) or not isinstance(table.get("model"), str):
        raise ValueError('it needs a line such as model = "model.onnx"')
    if "size" not in table:
        raise ValueError("it needs a line such as size = 224")
    allowed = list(inspect.signature(from_onnx).parameters)[1:]
    for key in table:
        if key not in allowed:
            raise ValueError(f"there is no key {key!r}; allowed are {', '.join(allowed)}")
    from_onnx(name, **(table | {"model": folder / expanded(table["model"])}))


@dataclass(frozen=True)
class Network:
    """A file of weights and how pictures are handed to it; called with a picture, its vector.

    Attributes:
        path, digest: the file, and SHA-256 of its content.
        size: (width, height) of what it is given.
        resize, mean, std, resample, output: see :func:`from_onnx`.
    """

    path: str
    digest: str
    size: Size
    resize: int | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resample: Resample
    output: str | None

    def __call__(self, image) -> ndarray:
        """Return the vector of a picture, float32 (d,), of length 1."""
        outputs = _loaded(self.path, self.digest, self.size)(self.prepared(image))
        vector = _vector(outputs, self.output)
        return vector / max(float(np.linalg.norm(vector)), 1e-9)

    def each(self, images: Sequence[Image.Image]) -> list[ndarray]:
        """Return the vectors of pictures; one by one, so that none depends on its neighbours."""
        return [self(image) for image in images]

    def prepared(self, image) -> ndarray:
        """Return what the network is given of a picture: float32 (1, 3, height, width)."""
        rgb = read_image(image)
        filter_ = Image.Resampling[self.resample.upper()]
        if self.resize is None:
            shown = rgb.resize(self.size, filter_)
        else:
            scale = self.resize / min(rgb.size)
            width = max(round(rgb.width * scale), self.resize)
            height = max(round(rgb.height * scale), self.resize)
            shown = ImageOps.fit(rgb.resize((width, height), filter_), self.size, filter_)
        channels = np.asarray(shown, dtype=np.float32).transpose(2, 0, 1) / 255
        mean = np.float32(self.mean)[:, None, None]
        std = np.float32(self.std)[:, None, None]
        return np.ascontiguousarray((channels - mean) / std)[None]

    def identity(self) -> str:
        """Return all that its vectors depend on, as a text for the cache's keys."""
        settings = (self.size, self.resize, self.mean, self.std, self.resample, self.output)
        return f"{self.digest} {settings}"


@functools.lru_cache(maxsize=4)
def _loaded(path: str, digest: str, size: Size) -> Run:
    """A network that runs, loaded once in each process."""
    data = Path(path).read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{path!r} has changed since it was registered: register it again")
    probe = np.zeros((1, 3, size[1], size[0]), dtype=np.float32)
    log_level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it is told in our words
    try:
        run = _in_opencv(data)
        run(probe)
        return run
    except cv2.error as error:
        reason = _reason(error)
    finally:
        cv2.utils.logging.setLogLevel(log_level)
    if importlib.util.find_spec("onnxruntime") is None:
        raise ValueError(
            f"OpenCV cannot run {path!r} with pictures of {size[0]} x {size[1]} ({reason}). If it"
            ' is an ONNX file, onnxruntime may: pip install "simlab[onnx]"'
        )
    try:
        run = _in_onnxruntime(data)
        run(probe)
        return run
    except Exception as error:  # onnxruntime has a dozen of its own
        raise ValueError(f"neither OpenCV nor onnxruntime can run {path!r}: {error}") from error


def _in_opencv(data: bytes) -> Run:
    network = cv2.dnn.readNetFromONNX(np.frombuffer(data, dtype=np.uint8))
    names = network.getUnconnectedOutLayersNames()

    def run(pixels: ndarray) -> dict[str, ndarray]:
        network.setInput(pixels)
        return dict(zip(names, network.forward(names)))

    return run


def _in_onnxruntime(data: bytes) -> Run:
    import onnxruntime  # an extra, and slow to import

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    given = session.get_inputs()[0].name

    def run(pixels: ndarray) -> dict[str, ndarray]:
        return dict(zip(names, session.run(names, {given: pixels})))

    return run


def _vector(outputs: dict[str, ndarray], name: str | None) -> ndarray:
    """The one vector that is wanted of a network's outputs."""
    names = ", ".join(map(repr, sorted(outputs)))
    if name is None and len(outputs) > 1:
        raise ValueError(f"output must name one of the network's outputs: {names}")
    if name is not None and name not in outputs:
        raise ValueError(f"output must be one of {names}; given {name!r}")
    value = np.asarray(outputs[name] if name else next(iter(outputs.values())))
    vector = value.ravel().astype(np.float32)
    if len(vector) < 2 or max(value.shape) != len(vector):
        raise ValueError(
            f"the network's output has the shape {value.shape}, which is not one vector: name"
            f" another with output=… (it has {names}), or export the model up to its embedding"
        )
    if not np.isfinite(vector).all():
        raise ValueError("the network's output is no number: are mean and std those it needs?")
    return vector


def _digest(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"model: no such file: {str(path)!r}")
    return sha256_of(path)


def _reason(error: cv2.error) -> str:
    """What OpenCV says of a network, without the places in its source."""
    operation = re.search(r"Node \[(\w+)@", str(error))
    if operation:
        return f"it does not know {operation[1]}"
    words = " ".join((error.err or str(error)).split())
    return words[:120]


def _sides(size: Any) -> Size:
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(_is_side(side) for side in sides):
        raise ValueError(f"size must be a whole number from 16 to 4096, or two; given {size!r}")
    return int(sides[0]), int(sides[1])


def _is_side(value: Any, least: int = 16) -> bool:
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_whole and least <= value <= 4096


def _three(name: str, values: Any) -> tuple[float, float, float]:
    try:
        red, green, blue = map(float, values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be three numbers; given {values!r}") from error
    if name == "std" and not min(red, green, blue) > 0:
        raise ValueError(f"std must be three numbers over 0; given {values!r}")
    return red, green, blue
