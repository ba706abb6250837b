"""Small ONNX networks of known answers, written byte by byte, without a package for it."""


def protobuf(*fields):
    """Bytes of a protobuf message of fields (number, whole number | bytes | text)."""
    written = b""
    for number, value in fields:
        if isinstance(value, int):
            written += varint(number << 3) + varint(value)
            continue
        content = value.encode() if isinstance(value, str) else value
        written += varint(number << 3 | 2) + varint(len(content)) + content
    return written


def varint(value):
    """A whole number in groups of seven bits, the lowest first."""
    written = b""
    while value > 127:
        written += bytes([value & 127 | 128])
        value >>= 7
    return written + bytes([value])


def node(operator, inputs, output, **attributes):
    """One operation; attributes are lists of whole numbers."""
    fields = [(1, name) for name in inputs] + [(2, output), (4, operator)]
    for name, values in attributes.items():
        numbers = [(8, value) for value in values]
        fields.append((5, protobuf((1, name), *numbers, (20, 7))))  # 7: of type INTS
    return protobuf(*fields)


def network(shape, nodes, outputs):
    """An ONNX file of one input "x", and outputs (name → shape) that nodes give."""
    described = [(12, _tensor(name, its_shape)) for name, its_shape in outputs.items()]
    graph = protobuf(
        *((1, one) for one in nodes), (2, "graph"), (11, _tensor("x", shape)), *described
    )
    return protobuf((1, 8), (7, graph), (8, protobuf((1, ""), (2, 14))))


def _tensor(name, shape):
    dimensions = protobuf(*((1, protobuf((1, length))) for length in shape))
    return protobuf((1, name), (2, protobuf((1, protobuf((1, 1), (2, dimensions))))))


def mean_network(side):
    """A network that returns the mean of each channel."""
    mean = node("GlobalAveragePool", ["x"], "y")
    return network((1, 3, side, side), [mean], {"y": (1, 3, 1, 1)})


def layout_network(side=32, cells=4):
    """A network that returns the mean colours of cells x cells parts: 3 cells² numbers."""
    step = [side // cells] * 2
    nodes = [
        node("AveragePool", ["x"], "pooled", kernel_shape=step, strides=step),
        node("Flatten", ["pooled"], "embedding"),
    ]
    return network((1, 3, side, side), nodes, {"embedding": (1, 3 * cells**2)})
