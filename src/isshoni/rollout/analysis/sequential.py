"""Test if a share of failures is too high, or higher than stable's; valid at every look.

An engine that looks four times a second would convict every candidate with a test that is made
for one look. These are e-processes: under the null hypothesis each factor has the
expectation 1 given all before it, whenever it is computed. `Excess` is Wald's likelihood
ratio against a limit. `Difference` is the conditional likelihood ratio of two samples:
given how many of a look's attempts failed on both colours together, the candidate's part
is hypergeometric when both are alike, at whatever level and however that level moves
from look to look: a fault of both colours at once convicts no candidate.

Each is a mixture over alternatives, and each is started again whenever it is no evidence
against the candidate, so that a long good past does not hide a sudden fault: an
e-detector, which within L looks convicts a good candidate with a chance of at most
L / EVIDENCE.

Hao, Grünwald, Lardy, Long, Adams: E-values for k-Sample Tests With Exponential Families,
Sankhya A, 2024 (arXiv:2303.00471). Shin, Ramdas, Rinaldo: E-detectors, New England
Journal of Statistics in Data Science, 2023 (arXiv:2203.03532).
"""

from math import exp, lgamma, log, log1p

EVIDENCE = 1e5
"""The evidence that convicts: a candidate just good enough reaches it in 100,000 looks."""
CORROBORATION = 100.0
"""The evidence that confirms a finding of another test."""
SUSPICION = 5.0
"""The evidence from which a bake is extended."""
SAME_ODDS = 1.5
"""The ratio of the odds of failure to stable's up to which both count as equal."""

_SHARES = (0.005, 0.02, 0.08, 0.3, 0.9)
_ODDS = (3.0, 10.0, 30.0, 100.0, 1000.0)

LogE = tuple[float, ...]
"""The logarithm of the evidence for each alternative; empty before the first look."""


def calculate_evidence(evidence: LogE) -> float:
    """Return the evidence against the candidate; 1 is none."""
    return _mix(evidence) if evidence else 1.0


def add_excess(evidence: LogE, bad: int, tried: int, limit: float) -> LogE:
    """Add a look: `bad` of `tried` failed, and the share should be `limit` at most."""
    shares = [share for share in _SHARES if share > 2 * limit]
    factors = [
        bad * log(share / limit) + (tried - bad) * (log1p(-share) - log1p(-limit))
        for share in shares
    ]
    return _multiply(evidence, factors)


def add_difference(
    evidence: LogE,
    bad: int,
    tried: int,
    its_bad: int,
    its_tried: int,
    same_odds: float = SAME_ODDS,
) -> LogE:
    """Add a look at both: the candidate's failures and attempts, then stable's."""
    failed = bad + its_bad
    possible = range(max(0, failed - its_tried), min(failed, tried) + 1)
    ways = [_log_choose(tried, x) + _log_choose(its_tried, failed - x) for x in possible]
    same = log(same_odds)
    worse = [odds * same_odds / SAME_ODDS for odds in _ODDS]

    def log_total(log_odds: float) -> float:
        return _log_sum([way + x * log_odds for way, x in zip(ways, possible, strict=True)])

    factors = [bad * (log(odds) - same) + log_total(same) - log_total(log(odds)) for odds in worse]
    return _multiply(evidence, factors)


def _multiply(evidence: LogE, factors: list[float]) -> LogE:
    before = evidence or (0.0,) * len(factors)
    after = tuple(e + factor for e, factor in zip(before, factors, strict=True))
    return after if _mix(after) > 1.0 else (0.0,) * len(factors)


def _mix(evidence: LogE) -> float:
    return exp(min(700.0, _log_sum(list(evidence)) - log(len(evidence))))


def _log_sum(terms: list[float]) -> float:
    top = max(terms)
    return top + log(sum(exp(term - top) for term in terms))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
