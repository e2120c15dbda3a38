#!/usr/bin/python3
"""Times PyTorch's forward and backward pass on the problems of problem.py, and prints Google Benchmark's JSON.

  torch_gradient.py [--filter REGEX] [--seconds S] [--output FILE]
  torch_gradient.py --serve        reads a filter and seconds per line, answers with one line of JSON each

The loop is the one a user writes: a module of layers, the loss, `backward` into gradients that were set to
None. OMP_NUM_THREADS says how many threads, one by default. A time is the mean of many calls, after a warm-up, as
Google Benchmark's: processor time on one thread, else by the wall; `real_time` and `cpu_time` are both set to it.
"""

import argparse
import json
import os
import re
import sys
import time

import torch

import problem


def fill(module, weight, bias):
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight.copy()))
        module.bias.copy_(torch.from_numpy(bias))
    return module


def linear(weight, bias):
    return fill(torch.nn.Linear(weight.shape[1], weight.shape[0]), weight, bias)


def dense(name):
    activation = torch.nn.ReLU if problem.PROBLEMS[name][1] else torch.nn.Tanh
    modules = []
    for weight, bias in problem.parameters(name):
        modules += [linear(weight, bias), activation()]
    return torch.nn.Sequential(*modules[:-1])


def channels_first(weight, height, width):
    """A weight [out, height * width * channels], as kappa orders it, in PyTorch's order."""
    return weight.reshape(len(weight), height, width, -1).transpose(0, 3, 1, 2)


def convolutions(name):
    (w1, b1), (w2, b2), (w3, b3) = problem.parameters(name)
    return torch.nn.Sequential(
        fill(torch.nn.Conv2d(1, 16, 5), channels_first(w1, 5, 5), b1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        fill(torch.nn.Conv2d(16, 32, 5), channels_first(w2, 5, 5), b2),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        linear(channels_first(w3, 4, 4).reshape(10, -1), b3),
    )


class MeanOverPositions(torch.nn.Module):
    def forward(self, x):
        return x.mean(1)


def positions(name):
    one, two, three = problem.parameters(name)
    return torch.nn.Sequential(
        linear(*one), torch.nn.ReLU(), linear(*two), torch.nn.ReLU(), MeanOverPositions(), linear(*three)
    )


class SelfAttention(torch.nn.Module):
    def __init__(self, heads, projections, output):
        super().__init__()
        self.core = torch.nn.MultiheadAttention(output[0].shape[0], heads, batch_first=True)
        with torch.no_grad():
            self.core.in_proj_weight.copy_(torch.from_numpy(projections[0]))
            self.core.in_proj_bias.copy_(torch.from_numpy(projections[1]))
        fill(self.core.out_proj, *output)

    def forward(self, x):
        return self.core(x, x, x, need_weights=False)[0]


def attention(name):
    projections, output, last = problem.parameters(name)
    return torch.nn.Sequential(SelfAttention(4, projections, output), MeanOverPositions(), linear(*last))


# name: (builder, the shape of a sample)
SHARED = {
    "convolutions": (convolutions, (1, 28, 28)),
    "positions": (positions, (32, 64)),
    "attention": (attention, (32, 64)),
}


def measure(name, batch, seconds):
    widths, classifies, _ = problem.PROBLEMS[name]
    build, shape = SHARED.get(name, (dense, widths[:1]))
    net = build(name)
    x = torch.from_numpy(problem.inputs(widths, batch)).reshape(batch, *shape)
    y = torch.from_numpy(problem.targets(widths, batch, classifies))
    theta = list(net.parameters())

    def step():
        for p in theta:
            p.grad = None
        f = net(x)
        loss = torch.nn.functional.cross_entropy(f, y) if classifies else 0.5 * ((f - y) ** 2).sum() / batch
        loss.backward()

    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    warm = time.perf_counter() + seconds / 4
    count, begin = 0, clock()
    while count == 0 or time.perf_counter() < warm:
        step()
        count += 1
    count = max(5, round(seconds * count / max(clock() - begin, 1e-9)))
    begin = clock()
    for _ in range(count):
        step()
    mean = (clock() - begin) / count
    norm = sum(float((p.grad.double() ** 2).sum()) for p in theta) ** 0.5
    work = [n * m * r for n, m, r in problem.layers(name)]
    flops = 2 * batch * (2 * sum(work) + sum(work[1:]))
    return {
        "name": f"gradient/{name}/{batch}/PyTorch",
        "run_name": f"gradient/{name}/{batch}/PyTorch",
        "run_type": "iteration",
        "iterations": count,
        "real_time": mean * 1e6,
        "cpu_time": mean * 1e6,
        "time_unit": "us",
        "gflops": flops / mean * 1e-9,
        "gradient_norm": norm,
    }


def benchmarks(pattern, seconds):
    return [
        measure(name, batch, seconds)
        for name, (_, _, batches) in problem.PROBLEMS.items()
        for batch in batches
        if re.search(pattern, f"gradient/{name}/{batch}/PyTorch")
    ]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--filter", default=".")
    options.add_argument("--seconds", type=float, default=0.5)
    options.add_argument("--output")
    options.add_argument("--serve", action="store_true")
    asked = options.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    context = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    if asked.serve:
        for line in sys.stdin:
            pattern, seconds = line.rsplit(maxsplit=1)
            print(json.dumps({"context": context, "benchmarks": benchmarks(pattern, float(seconds))}), flush=True)
        return 0
    text = json.dumps({"context": context, "benchmarks": benchmarks(asked.filter, asked.seconds)}, indent=1)
    if asked.output:
        with open(asked.output, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
