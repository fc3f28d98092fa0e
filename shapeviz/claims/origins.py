"""Where a slip comes from, told only where it follows from the model, the other claims or the digits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from shapeviz.claims.digits import digit_origin
from shapeviz.claims.file import WHOLE
from shapeviz.claims.findings import Finding, Subject, shown
from shapeviz.claims.shapes import shape_origin
from shapeviz.claims.tree import Part, Tree
from shapeviz.report import Report

TELLING = 1000  # a number in a sum that is at least as large is no mere factor


def explained(report: Report, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, each slip with its likely origin as note where one can be told."""
    checked = tuple(findings)
    evidence = Evidence(report, checked)
    return tuple(finding if finding.ok else replace(finding, note=evidence.note(finding)) for finding in checked)


class Evidence:
    """What the model and the file itself say about a slip."""

    def __init__(self, report: Report, findings: tuple[Finding, ...]) -> None:
        self.tree = Tree(report)
        self.right: dict[tuple[tuple[str, ...], bool, str], Finding] = {}
        self.wrong: dict[tuple[tuple[str, ...], bool, str], Finding] = {}
        self.slips: dict[int, Finding] = {}
        self.used: dict[int, Finding] = {}
        for finding in findings:
            self._add(finding)

    def _add(self, finding: Finding) -> None:
        if finding.quantity == "sum" and finding.claim.sum:
            for number in finding.claim.sum.numbers if finding.ok else ():
                self.used.setdefault(number, finding)
        elif finding.quantity != "shape":
            (self.right if finding.ok else self.wrong).setdefault(_key(finding), finding)
            if not finding.ok:
                self.slips.setdefault(finding.found, finding)

    def note(self, finding: Finding) -> str:
        """The origin of a slip, and what its right value leaves out."""
        if finding.quantity == "shape":
            return shape_origin(finding, self.tree)
        if finding.quantity == "sum":
            return self._in_sum(finding)
        left_out = Subject(self.tree.report, finding.claim).uncounted(finding.quantity)
        return "; ".join(filter(None, (self._of_count(finding), left_out)))

    def _of_count(self, finding: Finding) -> str:
        """The most specific origin of a wrong count."""
        sources = (self._own_sum, self._follows, self._factor, self._other_row, self._part, self._implied)
        for source in sources:
            if text := source(finding):
                return text
        return digit_origin(finding.found, finding.expected)

    def _in_sum(self, finding: Finding) -> str:
        """A number of the sum that is a slip elsewhere, or a result that was written down wrongly."""
        if text := self._mended(finding, finding.found):
            return text
        if _key(finding, *finding.claim.counts) in self.right:
            return f"{shown(finding.found)} is right: a number or a sign of the sum is wrong"
        return digit_origin(finding.found, finding.expected) if isinstance(finding.expected, int) else ""

    def _mended(self, finding: Finding, target: int) -> str:
        """The slips of other claims with which a sum is wrong and without which it comes to the target."""
        if not finding.claim.sum:
            return ""
        slips = [self.slips[n] for n in finding.claim.sum.numbers if n in self.slips]
        slips = [slip for slip in slips if slip.claim is not finding.claim]
        choices: list[list[Finding]] = [slips, *([slip] for slip in slips)] if slips else []
        for chosen in choices:
            if finding.claim.sum.value({slip.found: slip.expected for slip in chosen}) == target:
                wrong = " and ".join(f"{shown(slip.found)} is the slip of {slip.claim.name}" for slip in chosen)
                right = " and ".join(shown(slip.expected) for slip in chosen)
                return f"{wrong}: with {right} it comes to {shown(target)}"
        return ""

    def _own_sum(self, finding: Finding) -> str:
        if finding.claim.sum and finding.claim.sum.value() == finding.expected:
            return f"its own sum, {finding.claim.sum.text}, comes to {shown(finding.expected)}"
        return self._mended(finding, finding.expected)

    def _follows(self, finding: Finding) -> str:
        """A slip about a part that makes just this difference in the whole."""
        covered = self.tree.covered(finding)
        for part in self.tree.parts(finding):
            for everywhere in (False, True):
                slip = self.wrong.get(((part.path,), everywhere, finding.quantity))
                if not slip or slip.claim is finding.claim:
                    continue
                times, rest = divmod(1 if everywhere else self.tree.instances[part.path, finding.quantity], covered)
                smaller = part.path not in finding.paths or times > 1
                if not rest and smaller and times * (slip.found - slip.expected) == finding.found - finding.expected:
                    return f"it follows from the slip of {slip.claim.name}, {shown(slip.found)}"
        return ""

    def _factor(self, finding: Finding) -> str:
        """A size that was multiplied in once too often, or left out."""
        large, small = max(finding.found, finding.expected), min(finding.found, finding.expected)
        if not small or large % small:
            return ""
        factor, over = large // small, finding.found == large
        options = list(self._instances(finding, factor, over))
        options += self._sizes(finding, factor, over, known=bool(options))
        if finding.quantity == "flops" and factor == 2 and not over:
            options = ["a multiply-add is counted as 1 FLOP there, as 2 here"]
        size = f"{factor:,} times too {'large' if over else 'small'}"
        return f"{size}: {', or '.join(options)}" if options else ""

    def _instances(self, finding: Finding, factor: int, over: bool) -> Iterator[str]:
        paths = finding.paths
        if len(paths) == 1 and paths[0] != WHOLE and factor == self.tree.instances[paths[0], finding.quantity]:
            if over and not finding.claim.all:
                yield f"the figure of all {factor:,} together"
            if not over and finding.claim.all:
                yield f"the figure of one of the {factor:,}"

    def _sizes(self, finding: Finding, factor: int, over: bool, known: bool) -> Iterator[str]:
        """Sizes of this number: one in the formula left out or doubled, else, if nothing is known, multiplied in."""
        sizes = self.tree.report.sizes
        called = [name for name in (*sizes.values, *sizes.rules) if sizes.numbers[name] == factor]
        inside = self._formula(finding)
        doubled = [name for name in called if name in inside]
        if over and not doubled and not known:
            yield from (f"{name} = {factor:,} is multiplied in" for name in called[:3])
        for name in doubled[:3]:
            yield f"{name} = {factor:,} is {'multiplied in twice' if over else 'left out'}"

    def _formula(self, finding: Finding) -> frozenset[str]:
        """The names in the formula of a count."""
        if WHOLE in finding.paths:
            return self.tree.report.total[finding.quantity].names
        rows = [self.tree.rows[path] for path in finding.paths]
        return frozenset().union(*(row.cells[finding.quantity].each.names for row in rows))

    def _other_row(self, finding: Finding) -> str:
        """The figure of another block, with at most two that have it."""
        same = [
            path
            for (path, column), value in self.tree.values.items()
            if value == finding.found and value and column == finding.quantity and path not in finding.paths
        ]
        parents = {path.rpartition(".")[0] for path in finding.paths}
        same = _outermost([path for path in same if path.rpartition(".")[0] in parents] or same)
        return f"that is the figure of {' or '.join(same)}" if 0 < len(same) <= 2 else ""

    def _part(self, finding: Finding) -> str:
        """A block or a weight of the subject that was left out or counted twice."""
        difference = abs(finding.found - finding.expected)
        how = ("too many", "counted twice") if finding.found > finding.expected else ("too few", "left out")
        rows = [p for p in self.tree.parts(finding) if p.path not in finding.paths and p.value < finding.expected]
        weights = list(self.tree.weight_parts(finding)) if finding.quantity == "params" else []
        for parts in (rows, weights):
            if names := _of_size(parts, difference):
                return f"{difference:,} {how[0]}: {names} {how[1]}"
        for kind, name in (("bias", "all biases"), ("norm", "all norms")):
            if difference == sum(part.value * part.times for part in weights if part.kind == kind):
                return f"{difference:,} {how[0]}: {name} {how[1]}"
        return ""

    def _implied(self, finding: Finding) -> str:
        """A right claim of the file that is made of the right value."""
        paths, everywhere, column = _key(finding)
        if len(paths) == 1 and paths[0] != WHOLE:
            parent = self.tree.rows[paths[0]].parent
            for other in (((paths[0],), not everywhere, column), ((parent,), False, column)):
                if (right := self.right.get(other)) and (text := _multiple(right, finding)):
                    return text
        if finding.expected >= TELLING and (right := self.used.get(finding.expected)) and right.claim.sum:
            return f"{right.claim.name} uses the right one: {right.claim.sum.text} = {shown(right.found)}"
        return ""


def _key(finding: Finding, *column: str) -> tuple[tuple[str, ...], bool, str]:
    return finding.paths, finding.claim.all, column[0] if column else finding.quantity


def _multiple(right: Finding, finding: Finding) -> str:
    """`claim 21 uses the right one: 60,936,192 = 8 × 7,617,024`."""
    if not finding.expected or right.found % finding.expected:
        return ""
    product = f"{right.found // finding.expected:,} × {shown(finding.expected)}"
    return f"{right.claim.name} uses the right one: {shown(right.found)} = {product}"


def _of_size(parts: list[Part], difference: int) -> str:
    """The parts that have this size, one of them or all together; at most three are named."""
    texts = {p.path + p.name: p.name for p in parts if p.value == difference}
    texts |= {p.path + p.name: f"all {p.times:,} {p.name}" for p in parts if p.value * p.times == difference != p.value}
    names = list(texts.values())
    names = [name for name in names if not any(name.startswith(other + ".") for other in names)]
    more = f" or {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) if more else " or ".join(names)) + more


def _outermost(paths: list[str]) -> list[str]:
    """The paths that are not within another of them."""
    return [path for path in paths if not any(path.startswith(other + ".") for other in paths)]
