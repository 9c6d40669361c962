#!/usr/bin/python3
"""The list of properties: check it against the tree, make its table, report on a run.

    battery.py check                          what the list names exists, and docs/threat_model.md has its table
    battery.py table [--write]                the table, printed or put into docs/threat_model.md
    battery.py report REPORTS [--complete | --must-run]
                                              what a run proved. A complete one fails with what failed or did not run;
                                              one that must run all also with what was skipped
"""
import ast
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

TOP = pathlib.Path(__file__).resolve().parents[2]
LIST, TEXT = TOP / "tests/battery/properties.txt", TOP / "docs/threat_model.md"
BEGIN, END = "<!-- made by tests/battery/battery.py from tests/battery/properties.txt -->", "<!-- end of the table -->"
TIERS, LOGIN, VM = ("jail", "chroot"), "login", "vm"
LATER = ("network", "cloud")
EVIDENCE = ("test", "unit", "fuzz", "lint")
ONCE = ("on", "step", "part", "tiers", "not", "later", "open")
PARTS = {"agentsh", "agentshctl", "agentshctl: homes", "egress guard", "init", "install.sh", "key's options",
         "monitor",
         "monitor: homes", "monitor: ipc namespace", "monitor: pid namespace", "monitor: sweep", "pam module",
         "pam module: services", "policy", "ssh login", "sshd snippet", "tier vm"}


class Property:
    def __init__(self, number, text, section):
        self.number, self.text, self.section = number, text, section
        self.fields, self.evidence = {}, []

    def names(self, key):
        return [name for name in re.split(r"\s*;\s*", self.fields.get(key, "")) if name]

    @property
    def tiers(self):
        return self.fields.get("tiers", "").split()

    def needed(self, tier):
        """(kind, id) of all that proves it in this tier."""
        return [(kind, name.replace("{tier}", tier)) for kind, name in self.evidence]


def wrong(number, text):
    raise SystemExit(f"{LIST.relative_to(TOP)}:{number}: {text}")


def parse(text):
    found, section = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        key, _, value = line.partition(" ")
        value = value.strip()
        if not value:
            wrong(number, f"{key} without a value")
        if key == "section":
            section = value
        elif key == "property":
            digits, _, words = value.partition(" ")
            if not digits.isdecimal() or int(digits) != len(found) + 1 or not words.endswith("."):
                wrong(number, f"not property {len(found) + 1}, or no sentence")
            found.append(Property(int(digits), words, section))
        elif not found or key not in EVIDENCE + ONCE:
            wrong(number, f"{key} is not expected here")
        elif key in EVIDENCE:
            found[-1].evidence.append((key, value))
        elif key in found[-1].fields:
            wrong(number, f"a second {key}")
        else:
            found[-1].fields[key] = value
    return found


def step_names():
    jail = re.findall(r'^\s*\{ "([^"]+)", JAIL_[A-Z]+, ', (TOP / "monitor/jail_steps.c").read_text(), re.M)
    table = re.search(r"\} steps\[\] = \{(.*?)\n\};", (TOP / "monitor/session.c").read_text(), re.S).group(1)
    return set(jail) | set(re.findall(r'\{ "([^"]+)", ', table))


def functions(path):
    """Tests of a file as in pytest's ids, with the names of their classes."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}::{item.name}" for item in node.body
                        if isinstance(item, ast.FunctionDef) and item.name.startswith("test"))


def pattern(name):
    return re.compile(re.escape(name).replace(r"\*", ".*"))


def exists(kind, name):
    if kind == "test":
        file, _, test = name.partition("::")
        path = TOP / "tests/integration" / file
        wanted = pattern(test.split("[")[0])
        return path.is_file() and any(wanted.fullmatch(found) for found in functions(path))
    if kind == "unit":
        program, _, case = name.partition(": ")
        path = TOP / "tests/unit" / f"{program}.c"
        return path.is_file() and re.search(rf"\b{re.escape(case.split(',')[0])}\b", path.read_text()) is not None
    return (TOP / "tests" / kind / {"fuzz": f"fuzz_{name}.c", "lint": name}[kind]).is_file()


def faults_of(item, steps):
    """What is wrong with one property."""
    states = [key for key in ("tiers", "later", "open") if key in item.fields]
    if len(states) != 1:
        yield "needs exactly one of tiers, later and open"
    if not re.fullmatch(r"[A-G]( [A-G])*", item.fields.get("on", "")):
        yield "on names no asset"
    if "later" in item.fields and item.fields["later"] not in LATER:
        yield "later names no tier of a later version"
    if item.tiers not in ([], [LOGIN], [VM], list(TIERS)):
        yield "tiers are 'login', 'vm' or 'jail chroot'"
    if item.tiers and not (item.names("step") or item.names("part")):
        yield "nothing provides it"
    if bool(item.tiers) != bool(item.evidence):
        yield "a property with tiers has tests, another has none"
    for name in item.names("step"):
        if name not in steps:
            yield f"there is no step {name!r}"
    for name in item.names("part"):
        if name not in PARTS:
            yield f"there is no part {name!r}"
    for kind, name in item.evidence:
        if not exists(kind, name):
            yield f"there is no {kind} {name}"
    # What both tiers share is tested once; a probe of the inside is not proof for the other tier.
    if item.tiers == list(TIERS) and not any("{tier}" in name or kind == "unit" for kind, name in item.evidence):
        yield "no test of it runs in both tiers"


def cell(text):
    return text.replace("|", "\\|")


def shown(item):
    if "later" in item.fields:
        return f"the tier *{item.fields['later']}*, not in this version"
    if "open" in item.fields:
        return f"**not held:** {item.fields['open']}"
    words = []
    for kind, name in item.evidence:
        short = re.sub(r"\[.*\]$|\*$", "", name.replace("::*", "")).replace(", {tier}", "").replace("::", " ")
        words.append({"test": f"i/{short}", "unit": f"unit/{short}", "fuzz": f"fuzz/fuzz_{short}.c",
                      "lint": f"lint/{short}"}[kind])
    return ", ".join(dict.fromkeys(words))


def table(items):
    lines, section = [BEGIN], None
    for item in items:
        if item.section != section:
            section = item.section
            lines += ["", f"### {section}", "", "| | property | on | provided by | tiers | shown by |",
                      "|---|---|---|---|---|---|"]
        provided = ", ".join([f"*{name}*" for name in item.names("step")] + item.names("part"))
        text = item.text + (f" **Not:** {item.fields['not']}" if "not" in item.fields else "")
        lines.append(f"| {item.number} | {cell(text)} | {item.fields['on']} | {provided or '-'} | "
                     f"{' '.join(item.tiers) or '-'} | {cell(shown(item))} |")
    return "\n".join(lines + ["", END])


def table_of_the_text():
    found = re.search(re.escape(BEGIN) + ".*" + re.escape(END), TEXT.read_text(), re.S)
    return found.group(0) if found else ""


def check(items):
    steps = step_names()
    wrongs = [f"property {item.number}: {fault}" for item in items for fault in faults_of(item, steps)]
    if table_of_the_text() != table(items):
        wrongs.append("docs/threat_model.md has another table: tests/battery/battery.py table --write")
    for fault in wrongs:
        print(f"battery: {fault}", file=sys.stderr)
    return 1 if wrongs else 0


def results_of_pytest(path):
    """{id: passed, failed or skipped}."""
    found = {}
    if not path.is_file():
        return found
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        match = re.fullmatch(r"(?:.*\.)?(test_[a-z0-9_]+)(?:\.([A-Z].*))?", case.get("classname", ""))
        if match is None:
            continue
        test = "::".join(filter(None, [f"{match.group(1)}.py", match.group(2), case.get("name")]))
        result = "passed" if case.find("skipped") is None else "skipped"
        if case.find("failure") is not None or case.find("error") is not None:
            result = "failed"
        if found.get(test) != "failed":
            found[test] = result
    return found


def results_of_units(reports):
    found = {}
    for path in reports.glob("unit-*.tap"):
        for line in path.read_text(errors="replace").splitlines():
            match = re.fullmatch(r"(not )?ok \d+ - (.*?)\s*(# *SKIP.*)?", line)
            if match:
                result = "skipped" if match.group(3) else "failed" if match.group(1) else "passed"
                found[f"{path.stem[len('unit-'):]}: {match.group(2)}"] = result
    return found


def results(reports):
    """{kind: {id: result}} of one run."""
    tests = {}
    for path in sorted(reports.glob("integration*.xml")):
        tests.update(results_of_pytest(path))
    found = {"test": tests, "unit": results_of_units(reports),
             "fuzz": {}, "lint": {}}
    checks = reports / "checks"
    for line in checks.read_text().splitlines() if checks.is_file() else []:
        result, _, name = line.partition(" ")
        if name.startswith("corpus "):
            found["fuzz"][name[len("corpus "):]] = result
        elif name.startswith("tests/lint/"):
            found["lint"][name[len("tests/lint/"):]] = result
    return found


def missing(item, tier, found):
    """What keeps the property from being proven in this tier."""
    for kind, name in item.needed(tier):
        wanted = pattern(name)
        matching = {test: result for test, result in found[kind].items() if wanted.fullmatch(test)}
        if not matching:
            yield f"{name}: did not run"
        yield from (f"{test}: {result}" for test, result in matching.items() if result != "passed")


def report(items, reports, mode):
    found, proven, wanted, bad = results(reports), collections.Counter(), collections.Counter(), []
    failed = False
    for item in items:
        for tier in item.tiers:
            gaps = list(missing(item, tier, found))
            wanted[tier] += 1
            proven[tier] += not gaps
            failed = failed or any(mode == "--must-run" or not gap.endswith(": skipped") for gap in gaps)
            if gaps:
                bad.append(f"{item.number} ({tier}) {item.text}\n" + "".join(f"      {gap}\n" for gap in gaps[:4]))
    others = [(key, [item for item in items if key in item.fields]) for key in ("later", "open")]
    figures = [f"{tier}: {proven[tier]} of {wanted[tier]} properties proven" for tier in (*TIERS, LOGIN, VM)]
    print(", ".join(figures + [f"{key}: {len(which)}" for key, which in others]))
    for item in others[1][1]:
        print(f"  not held: {item.number} {item.text} ({item.fields['open']})")
    if mode:
        print("".join(f"  not proven: {text}" for text in bad), end="")
    elif bad:
        print("  (this was not the whole suite)")
    return 1 if failed and mode else 0


def main(arguments):
    items = parse(LIST.read_text())
    match arguments:
        case ["check"]:
            return check(items)
        case ["table"]:
            print(table(items))
        case ["table", "--write"]:
            TEXT.write_text(TEXT.read_text().replace(table_of_the_text() or BEGIN, table(items)))
        case ["report", reports]:
            return report(items, pathlib.Path(reports), None)
        case ["report", reports, ("--complete" | "--must-run") as mode]:
            return report(items, pathlib.Path(reports), mode)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
