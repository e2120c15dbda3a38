"""The problems of problem.hpp, drawn the same way, number by number."""

import numpy

# name: (widths, whether it classifies, batch sizes)
PROBLEMS = {
    "784-128-10": ((784, 128, 10), True, (32, 128, 512)),
    "784-512-256-10": ((784, 512, 256, 10), True, (32, 128, 512)),
    "2-16-16-1": ((2, 16, 16, 1), False, (1, 64, 1024)),
    "4-32-32-2": ((4, 32, 32, 2), False, (1, 64, 1024)),
    "2-50-50-50-50-1": ((2, 50, 50, 50, 50, 1), False, (1, 64, 1024)),
}


def hashed(stream, count):
    """An integer hash of 0 ... count - 1, as uint32."""
    x = numpy.arange(count, dtype=numpy.uint32) + numpy.uint32(stream * 0x9E3779B9 % 2**32)
    x = (x ^ (x >> 16)) * numpy.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * numpy.uint32(0x846CA68B)
    return x ^ (x >> 16)


def uniform(stream, *shape):
    count = int(numpy.prod(shape))
    return (hashed(stream, count) / 2147483648.0 - 1.0).astype(numpy.float32).reshape(shape)


def parameters(widths):
    """[(weight [out, in], bias [out])], one pair a layer."""
    pairs = list(zip(widths, widths[1:]))
    theta, at, layers = uniform(1, sum(m * (n + 1) for n, m in pairs)), 0, []
    for n, m in pairs:
        own = theta[at : at + m * (n + 1)] * numpy.float32((6.0 / n) ** 0.5)
        layers.append((own[: m * n].reshape(m, n), own[m * n :]))
        at += m * (n + 1)
    return layers


def inputs(widths, batch):
    return uniform(2, batch, widths[0])


def targets(widths, batch, classifies):
    return (hashed(3, batch) % widths[-1]).astype(numpy.int64) if classifies else uniform(3, batch, widths[-1])
