"""What has been gathered for and against a candidate, look by look."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import log, sqrt

from isshoni.rollout.analysis.failure_rates import (
    LASTING_SECONDS,
    QUIET_SECONDS,
    FailureRate,
    list_failure_rates,
)
from isshoni.rollout.analysis.samples import Counts, subtract_counts
from isshoni.rollout.analysis.sequential import (
    EVIDENCE,
    SUSPICION,
    LogE,
    add_difference,
    add_excess,
    calculate_evidence,
)
from isshoni.rollout.plan import Thresholds

QUIET_MISSED = 1.0
"""A share that nothing bad was added to for so long is over its target no more, if a share
at its alarm would have failed so often in that time: what is seldom tried is not soon cleared."""
PAUSE_SECONDS = 3.0
PAUSE_MISSED = 0.3
"""Such a pause between two failures makes two troubles of one, likewise."""
RETRIED_SECONDS = 12.0
"""A failed move is tried again within this time, the timeout and pauses of the relay included."""
UNCLEARED_SECONDS = 30.0
"""How long failures of retried attempts count if too few attempts followed to clear them."""
CHANCE = 0.02
"""Failures are cleared by a run without any that was at most so probable at their rate."""
UNNOTICED_SECONDS = 4.0
"""How long trouble of both colours can last before either reports it: a command to Redis
fails after 2 s, then comes the next health check."""
FAR_ERRORS = 1.5
"""Standard errors of the odds ratio; enough to wait, not to convict."""
FEW_ATTEMPTS = 60
"""With fewer looks than this stable may have had no burst by chance: 15 s of looks."""
UNBROKEN_LOOKS = 5
"""So many looks in a row, all of them bad, are no burst while stable has a good one."""
BROKEN_SECONDS = 30.0
"""How long bursts go on that are no passing trouble, if attempts between them did not fail."""
RARE_PCT = 10.0
"""Up to this share of bad looks stable only stumbles at times: it has no bursts that last."""
CHECKPOINT_SECONDS = 2.0
"""Between two checkpoints of the evidence."""


@dataclass(frozen=True)
class Weighed:
    """One share's evidence, and the counts since it last said nothing."""

    bad: int = 0
    tried: int = 0
    stable_bad: int = 0
    stable_tried: int = 0
    over: LogE = ()
    """That the candidate is over its target."""
    worse: LogE = ()
    """That it is worse than stable."""
    stable_over: LogE = ()
    """That stable is over the target itself."""
    stable_pct: float = 0.0
    """Stable's share when it was tried last."""
    bad_since: float = 0.0
    bad_until: float = 0.0
    """When the candidate's failures began, and the last of them was seen."""
    clean: int = 0
    """Attempts since then, none of which failed."""
    good_beside: int = 0
    """Attempts that did not fail, at the last look at which others did."""
    stable_bad_until: float = 0.0
    stable_tried_at: float = 0.0
    stable_clean: int = 0
    stable_ever_bad: int = 0
    stable_ever: int = 0
    """Stable's failures and attempts since the rollout began, for when it is tried no more."""
    unbroken: int = 0
    """Looks in a row at which all of the candidate's attempts failed."""
    unbroken_since: float = 0.0
    """When the first of them was seen."""
    stable_good_looks: int = 0
    """Looks at stable since the first of them at which an attempt did not fail."""

    @property
    def pct(self) -> float:
        """The candidate's share of failures, in percent."""
        return 100.0 * self.bad / self.tried if self.tried else 0.0

    def convicts(self, rate: FailureRate) -> bool:
        """True if the evidence is enough to convict the candidate."""
        return self._alarms(rate) or (
            self.pct > rate.target_pct and calculate_evidence(self.worse) >= EVIDENCE
        )

    def _alarms(self, rate: FailureRate) -> bool:
        if rate.alarm_pct is None or self.pct <= rate.alarm_pct:
            return False
        if calculate_evidence(self.over) < EVIDENCE or self._is_excused(rate):
            return False
        # A passing trouble of both shows on stable too; but hardly any client may be there.
        worse = calculate_evidence(self.worse) >= rate.corroboration
        # Once stable has no clients left, nothing that it shows could take that back.
        worse &= self._is_compared(self.bad_until) or not self._is_usual(rate)
        worse &= not self._is_sudden
        lasting = self._lasts(rate) and not self._is_usual(rate)
        return worse or lasting or rate.alarm_pct == 0

    def _is_excused(self, rate: FailureRate) -> bool:
        """True if stable is over the target itself, so that only the comparison counts."""
        if not self._is_compared(self.bad_until) and self._is_usual(rate):
            return True
        if calculate_evidence(self.stable_over) < SUSPICION:
            return False
        return self.stable_tried > 0 or self._is_usual(rate)

    def _is_compared(self, now: float) -> bool:
        """True if stable was tried a moment ago."""
        return now - self.stable_tried_at <= QUIET_SECONDS

    @property
    def _is_sudden(self) -> bool:
        """True if it only now began to fail, and stable has not been tried since.

        One look may count its first failures together with stable's attempts from before them.
        """
        compared = not self.stable_tried_at <= self.bad_since < self.bad_until
        return not compared and self.bad_until - self.bad_since < UNNOTICED_SECONDS

    def _is_usual(self, rate: FailureRate) -> bool:
        """True if the candidate's share is about what stable had at its worst."""
        return self.pct <= rate.same_odds * self._stable_usual_pct

    def _lasts(self, rate: FailureRate) -> bool:
        """True if the failures go on for longer than a passing trouble would."""
        unbroken = rate.comes_in_bursts and self._is_unbroken
        since = self.unbroken_since if unbroken else self.bad_since
        return self.bad_until - since >= self.count_passing_seconds(rate)

    def count_passing_seconds(self, rate: FailureRate) -> float:
        """Return for how long such failures can go on and still be a passing trouble."""
        if not rate.comes_in_bursts or self._is_unbroken:
            return LASTING_SECONDS
        return rate.lasting_seconds if self._stable_may_have_bursts else BROKEN_SECONDS

    @property
    def _is_unbroken(self) -> bool:
        """True if the candidate fails at each look, and stable is known to fail hardly ever."""
        rare = 100.0 * self.stable_ever_bad <= RARE_PCT * self.stable_ever
        return self.unbroken >= UNBROKEN_LOOKS and rare and not self._is_stable_little_known

    @property
    def _is_stable_little_known(self) -> bool:
        return 0 < self.stable_ever < FEW_ATTEMPTS

    @property
    def _stable_may_have_bursts(self) -> bool:
        """True if stable failed at times, or was tried too seldom to show if it does."""
        return self.stable_ever_bad > 0 or self._is_stable_little_known

    def _is_far_worse(self, rate: FailureRate) -> bool:
        """True if the odds of failure are beyond stable's by more than chance explains."""
        good, stable_good = self.tried - self.bad, self.stable_tried - self.stable_bad
        cells = [it + 0.5 for it in (self.bad, good, self.stable_bad, stable_good)]
        ratio = log(cells[0] / cells[1]) - log(cells[2] / cells[3])
        return ratio - log(rate.same_odds) > FAR_ERRORS * sqrt(sum(1 / it for it in cells))

    @property
    def _stable_usual_pct(self) -> float:
        """Stable's share at its worst of: since the last start of the evidence, or ever."""
        ever = 100.0 * self.stable_ever_bad / self.stable_ever if self.stable_ever else 0.0
        return max(self.stable_pct, ever)

    def makes_doubtful(self, rate: FailureRate, now: float) -> bool:
        """True if it looks bad and still does; failures that have stopped are no reason to wait."""
        if self.pct <= rate.target_pct or self._have_stopped(rate, now):
            return False
        over = rate.alarm_pct is not None and calculate_evidence(self.over) >= SUSPICION
        # Where stable is not tried any more, a suspicion can be neither confirmed nor cleared.
        if rate.comes_in_bursts and self._never_stops():
            return True
        if not self._is_compared(now):
            if rate.comes_in_bursts and self._is_unbroken:
                return over
            bursts = rate.comes_in_bursts and self._stable_may_have_bursts
            passing = bursts and not self._lasts(rate)
            return over and not passing and not self._is_excused(rate)
        if calculate_evidence(self.worse) >= rate.suspicion:
            return True
        far = rate.comes_in_bursts and self._is_far_worse(rate)
        return over and (far or not self._is_excused(rate))

    def _have_stopped(self, rate: FailureRate, now: float) -> bool:
        """True if there was no failure for so long that no more are to be expected."""
        since = now - self.bad_until
        if not rate.is_retried:
            return since > QUIET_SECONDS
        good = self.good_beside + self.clean
        is_cleared = (1.0 - self.pct / 100) ** good <= CHANCE
        return since > (RETRIED_SECONDS if is_cleared else UNCLEARED_SECONDS)

    def _never_stops(self) -> bool:
        """True if the candidate fails at each look, and stable does not."""
        return self.unbroken >= UNBROKEN_LOOKS and self.stable_good_looks > 0

    def delay(self, seconds: float) -> "Weighed":
        """Return the share with its times moved, as if a stretch of time had not been."""
        return replace(
            self,
            bad_since=self.bad_since and self.bad_since + seconds,
            bad_until=self.bad_until and self.bad_until + seconds,
            unbroken_since=self.unbroken_since and self.unbroken_since + seconds,
            stable_bad_until=self.stable_bad_until and self.stable_bad_until + seconds,
            stable_tried_at=self.stable_tried_at and self.stable_tried_at + seconds,
        )

    def describe(self, rate: FailureRate) -> str:
        """Name the figure, its limit and stable's figure."""
        limit = "" if rate.alarm_pct is None else f"limit {rate.alarm_pct:.4g} %, "
        share = f"{rate.name} {self.pct:.4g} % ({self.bad} of {self.tried}; "
        return f"{share}{limit}stable {self.stable_pct:.4g} %)"


@dataclass(frozen=True)
class Checkpoint:
    """The evidence of some seconds ago, from before trouble of both colours began."""

    at: float
    weighed: Mapping[str, Weighed]
    usable_seconds: float


@dataclass(frozen=True)
class Evidence:
    """All shares, and the counters as they were at the last look."""

    at: float
    candidate: Counts = field(default_factory=dict)
    stable: Counts = field(default_factory=dict)
    weighed: Mapping[str, Weighed] = field(default_factory=dict)
    suspects: tuple[str, ...] = ()
    """Shares that convicted at the last look."""
    guilty: tuple[str, ...] = ()
    """Those of them that did at the look before too: the counters of two colours are
    never read at quite the same moment."""
    usable_seconds: float = 0.0
    """How long the candidate with traffic was judged, without trouble of both colours."""
    checkpoints: tuple[Checkpoint, ...] = ()
    """Oldest first; what `pass_over_look` returns to."""


def weigh_look(
    before: Evidence,
    candidate: Counts,
    stable: Counts,
    now: float,
    limits: Thresholds,
    *,
    exposed: bool,
    moving: bool = False,
    usable: bool = True,
) -> Evidence:
    """Return the evidence after one more look; no client is on the candidate unless `exposed`.

    `moving`: sessions move to it, and slow it down. `usable`: it was judged since the last look.
    """
    mine = subtract_counts(candidate, before.candidate) if exposed else {}
    theirs = subtract_counts(stable, before.stable)
    rates = list_failure_rates(limits)
    weighed = {}
    for rate in rates:
        counted = mine if rate.counts_while_moving or not moving else {}
        share = before.weighed.get(rate.name, Weighed())
        weighed[rate.name] = _weigh(share, rate, counted, theirs, now)
    suspects = tuple(rate.name for rate in rates if weighed[rate.name].convicts(rate))
    guilty = tuple(name for name in suspects if name in before.suspects)
    seconds = before.usable_seconds + (max(0.0, now - before.at) if exposed and usable else 0.0)
    checkpoints = _add_checkpoint(before.checkpoints, Checkpoint(now, weighed, seconds))
    return Evidence(now, candidate, stable, weighed, suspects, guilty, seconds, checkpoints)


def _add_checkpoint(
    checkpoints: tuple[Checkpoint, ...], latest: Checkpoint
) -> tuple[Checkpoint, ...]:
    if checkpoints and latest.at - checkpoints[-1].at < CHECKPOINT_SECONDS:
        return checkpoints
    settled = [it for it in checkpoints if it.at <= latest.at - UNNOTICED_SECONDS]
    return (*settled[-1:], *checkpoints[len(settled) :], latest)


def pass_over_look(before: Evidence, candidate: Counts, stable: Counts, now: float) -> Evidence:
    """Return the evidence after a look at which both colours had the same trouble.

    The look is not weighed. The evidence is that of the last checkpoint before the trouble,
    because failures in the seconds before it was noticed were probably caused by it too.
    Without such a checkpoint the evidence against the candidate starts from zero.
    """
    settled = [it for it in before.checkpoints if it.at <= now - UNNOTICED_SECONDS]
    if not settled:
        weighed = {name: _keep_stable_only(share) for name, share in before.weighed.items()}
        return Evidence(now, candidate, stable, weighed)
    last = settled[-1]
    weighed = {name: share.delay(now - last.at) for name, share in last.weighed.items()}
    return Evidence(
        now,
        candidate,
        stable,
        weighed,
        usable_seconds=last.usable_seconds,
        checkpoints=(last,),  # a later one would hold failures of the trouble
    )


def _keep_stable_only(share: Weighed) -> Weighed:
    return Weighed(
        stable_bad=share.stable_bad,
        stable_tried=share.stable_tried,
        stable_over=share.stable_over,
        stable_pct=share.stable_pct,
        stable_bad_until=share.stable_bad_until,
        stable_tried_at=share.stable_tried_at,
        stable_clean=share.stable_clean,
        stable_ever_bad=share.stable_ever_bad,
        stable_ever=share.stable_ever,
    )


def _weigh(before: Weighed, rate: FailureRate, mine: Counts, theirs: Counts, now: float) -> Weighed:
    bad, tried = rate.count(mine)
    its_bad, its_tried = rate.count(theirs)
    if tried == its_tried == 0:
        return before
    after = _add_counts(before, bad, tried, its_bad, its_tried)
    after = _add_times(after, rate, (bad, tried), (its_bad, its_tried), now)
    target = rate.target_pct / 100
    over, stable_over = after.over, after.stable_over
    if tried:
        missed = _calculate_missed(rate, after.clean)
        quiet = missed >= QUIET_MISSED and now - after.bad_until > QUIET_SECONDS
        over = () if quiet else add_excess(over, bad, tried, target)
    if its_tried:
        missed = _calculate_missed(rate, after.stable_clean)
        quiet = missed >= QUIET_MISSED and now - after.stable_bad_until > rate.stable_quiet_seconds
        stable_over = () if quiet else add_excess(stable_over, its_bad, its_tried, target)
    worse = add_difference(before.worse, bad, tried, its_bad, its_tried, rate.same_odds)
    after = replace(after, over=over, worse=worse, stable_over=stable_over)
    nothing = not any(after.over) and not any(after.worse)
    return replace(after, bad=0, tried=0, stable_bad=0, stable_tried=0) if nothing else after


def _add_counts(before: Weighed, bad: int, tried: int, its_bad: int, its_tried: int) -> Weighed:
    after = replace(
        before,
        bad=before.bad + bad,
        tried=before.tried + tried,
        stable_bad=before.stable_bad + its_bad,
        stable_tried=before.stable_tried + its_tried,
        stable_ever_bad=before.stable_ever_bad + its_bad,
        stable_ever=before.stable_ever + its_tried,
    )
    if not after.stable_tried:
        return after
    return replace(after, stable_pct=100.0 * after.stable_bad / after.stable_tried)


def _add_times(
    after: Weighed, rate: FailureRate, mine: tuple[int, int], theirs: tuple[int, int], now: float
) -> Weighed:
    (bad, tried), (its_bad, its_tried) = mine, theirs
    if bad:
        missed = _calculate_missed(rate, after.clean)
        pause = RETRIED_SECONDS if rate.is_retried else PAUSE_SECONDS
        paused = missed >= PAUSE_MISSED and now - after.bad_until > pause
        begins = paused or not after.bad_until
        since = now if begins else after.bad_since
        after = replace(after, bad_since=since, bad_until=now, good_beside=tried - bad)
    if tried:
        unbroken = after.unbroken + 1 if bad == tried else 0
        since = now if unbroken == 1 else after.unbroken_since
        after = replace(after, unbroken=unbroken, unbroken_since=since)
    good_looks = after.stable_good_looks + (its_bad < its_tried) if after.unbroken else 0
    after = replace(after, stable_good_looks=good_looks)
    if its_bad:
        after = replace(after, stable_bad_until=now)
    if its_tried:
        after = replace(after, stable_tried_at=now)
    return replace(
        after,
        clean=0 if bad else after.clean + tried,
        stable_clean=0 if its_bad else after.stable_clean + its_tried,
    )


def _calculate_missed(rate: FailureRate, clean: int) -> float:
    """Return the failures that a share at its alarm would have had in `clean` attempts."""
    return clean * (rate.alarm_pct or rate.target_pct) / 100
