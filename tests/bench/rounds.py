"""Rounds in which every contender runs once, in a new random order, so that other load hits all alike."""
import random
import statistics
import time

SETTLE = 0.02  # seconds between runs: what the last one left to the kernel should not be paid by the next


class Contender:
    """A name, what is run (for the report), and a function that returns {metric: seconds or other number}."""

    def __init__(self, name, what, run):
        self.name, self.what, self.run = name, what, run
        self.rounds = []

    def values(self, metric):
        return [values[metric] for values in self.rounds]


class Row:
    """One line of the report. `value` and `reference` are lists of the same rounds, or of unequal length."""

    def __init__(self, name, what, value, unit, reference=None, against=None, aim=None, invert=False):
        self.name, self.what, self.unit, self.against = name, what, unit, against
        self.least, self.median, self.runs = min(value), statistics.median(value), len(value)
        self.p95 = sorted(value)[min(len(value) - 1, int(0.95 * len(value)))]
        self.ratio = None
        if reference is not None:
            pairs = [a / b for a, b in zip(value, reference)] if len(value) == len(reference) \
                else [self.median / statistics.median(reference)]
            self.ratio = statistics.median(1 / pair if invert else pair for pair in pairs)
        self.aim, self.met = aim, None
        if aim is not None:
            kind, limit = aim
            measured = self.ratio if self.ratio is not None else self.median
            self.met = measured <= limit if kind == "<=" else measured >= limit

    def as_dict(self):
        return {"name": self.name, "what": self.what, "unit": self.unit, "runs": self.runs, "min": self.least,
                "median": self.median, "p95": self.p95, "ratio": self.ratio, "against": self.against,
                "aim": f"{self.aim[0]} {self.aim[1]}" if self.aim else None, "met": self.met}


def measure(contenders, rounds, warmup=2, settle=SETTLE, progress=None):
    """Runs them all; afterwards each has `rounds` results. A failure stops the part: a figure beside it means nothing."""
    order = list(contenders)
    for number in range(-warmup, rounds):
        random.shuffle(order)
        for contender in order:
            values = contender.run()
            if number >= 0:
                contender.rounds.append(values)
            time.sleep(settle)
        if progress:
            progress(number + 1, rounds)


def machine():
    """What the figures were measured on, without names."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/sys/kernel/osrelease", encoding="utf-8") as file:
        kernel = file.read().strip()
    with open("/proc/loadavg", encoding="utf-8") as file:
        load = file.read().split()[0]
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpus = sum(line.startswith("processor") for line in file)
    return {"cpu": model, "cpus": cpus, "kernel": kernel, "load": load}
