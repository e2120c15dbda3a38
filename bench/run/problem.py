"""The problems of problem.hpp, drawn the same way, number by number."""

import numpy

# name: (widths, whether it classifies, batch sizes)
PROBLEMS = {
    "784-128-10": ((784, 128, 10), True, (32, 128, 512)),
    "784-512-256-10": ((784, 512, 256, 10), True, (32, 128, 512)),
    "2-16-16-1": ((2, 16, 16, 1), False, (1, 64, 1024)),
    "4-32-32-2": ((4, 32, 32, 2), False, (1, 64, 1024)),
    "2-50-50-50-50-1": ((2, 50, 50, 50, 50, 1), False, (1, 64, 1024)),
    "convolutions": ((784, 10), True, (128,)),
    "positions": ((2048, 10), True, (128,)),
    "attention": ((2048, 10), True, (128,)),
}
# name: (in, out, positions) of every layer of networks that share weights over positions
SHARED = {
    "convolutions": ((25, 16, 576), (400, 32, 64), (512, 10, 1)),
    "positions": ((64, 128, 32), (128, 64, 32), (64, 10, 1)),
    "attention": ((64, 192, 32), (64, 64, 32), (64, 10, 1)),
}


def layers(name):
    widths = PROBLEMS[name][0]
    return SHARED.get(name) or [(n, m, 1) for n, m in zip(widths, widths[1:])]


def hashed(stream, count):
    """An integer hash of 0 ... count - 1, as uint32."""
    x = numpy.arange(count, dtype=numpy.uint32) + numpy.uint32(stream * 0x9E3779B9 % 2**32)
    x = (x ^ (x >> 16)) * numpy.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * numpy.uint32(0x846CA68B)
    return x ^ (x >> 16)


def uniform(stream, *shape):
    count = int(numpy.prod(shape))
    return (hashed(stream, count) / 2147483648.0 - 1.0).astype(numpy.float32).reshape(shape)


def parameters(name):
    """[(weight [out, in], bias [out])], one pair a layer."""
    sizes = layers(name)
    theta, at, found = uniform(1, sum(m * (n + 1) for n, m, _ in sizes)), 0, []
    for n, m, _ in sizes:
        own = theta[at : at + m * (n + 1)] * numpy.float32((6.0 / n) ** 0.5)
        found.append((own[: m * n].reshape(m, n), own[m * n :]))
        at += m * (n + 1)
    return found


def inputs(widths, batch):
    return uniform(2, batch, widths[0])


def targets(widths, batch, classifies):
    return (hashed(3, batch) % widths[-1]).astype(numpy.int64) if classifies else uniform(3, batch, widths[-1])
