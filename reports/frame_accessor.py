"""``frame.hullmark``: plots and comparisons for the frames of assessments and fleets. Importing this registers it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from reports import findings, plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WORDS = {"outcome": findings.OUTCOMES, "status": findings.STATUSES}
_NAMES = ("image", "reference", "digest")
"""What tells images apart, the most telling first."""
_NOBODY = "nobody verified"
AGES = (("up to a week", 7), ("up to 30 days", 30), ("up to 90 days", 90), ("older", 10**6))


@pd.api.extensions.register_dataframe_accessor("hullmark")
class FrameAccessor:
    """What can be asked of a frame with our columns; AttributeError where it has not those that are needed."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def heatmap(self, rows: str | None = None, column: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Images by checks: the outcome in each cell; or, for findings, how many there are.

        `rows` and `column` name other columns to set against each other. Where several rows fall into a cell, the worst
        word is shown. Rows and columns with the most failures come first.
        """
        if self._has("key"):
            row, other = rows or self._image(), column or "check"
            counts = pd.crosstab(self._frame[row], self._frame[other])
            counts = counts.loc[_most(counts.sum(axis=1)), _most(counts.sum())]
            title = f"Findings by {row} and {other}: {len(self._frame):,} in {_many(counts.index, row)}"
            return plots.count_cells(counts, title, ax)
        word = next((name for name in _WORDS if name in self._frame), "outcome")
        row, other = rows or self._image(), column or ("check" if word == "outcome" else "framework")
        self._need(word, row, other)
        words = _worst(self._frame, row, other, word)
        bad = words == _WORDS[word][0]
        words = words.loc[_most(bad.sum(axis=1)), _most(bad.sum())]
        title = f"{word.capitalize()} by {row} and {other}: {_many(words.index, row)}, {_many(words.columns, other)}"
        return plots.status_cells(words, title, ax)

    def coverage(self, *, by: str | None = None, ax: Axes | None = None) -> Axes:
        """How many controls of each framework have which status; of checks, how many of each trait which outcome.

        `by` names another column to count by. Where a frame has several images, every control counts once for each.
        """
        word = "status" if self._has("status", "framework") else "outcome"
        by = by or ("framework" if word == "status" else "trait")
        self._need(word, by)
        frame = self._frame
        if word == "status" and self._has("control"):
            frame = frame.drop_duplicates([name for name in (*_NAMES, "run", "framework", "control") if name in frame])
        counts = pd.crosstab(frame[by], frame[word])
        counts = counts[[name for name in _WORDS[word] if name in counts]]
        what = "controls" if word == "status" else "checks"
        images = f" in {_many(frame[self._image()].unique(), 'image')}" if self._images() else ""
        return plots.stacked_bars(counts, f"{what.capitalize()} by {by}: {len(frame):,}{images}", what, ax)

    def changes(self, previous: pd.DataFrame) -> pd.DataFrame:
        """The findings that are in only one of two frames, with `change`: new, or gone since `previous`.

        A finding is the same where image reference and `key` are, a digest over check, kind and path or package. One
        that is gone may only be out of sight: look at the outcome of its check.
        """
        self._need("key")
        names = [*(name for name in ("fleet", "group", "reference") if self._has(name)), "key"]
        here, there = (pd.MultiIndex.from_frame(frame[names].astype(str)) for frame in (self._frame, previous))
        new, gone = self._frame[~here.isin(there)], previous[~there.isin(here)]
        both = pd.concat([new.assign(change="new"), gone.assign(change="gone")], ignore_index=True)
        both["change"] = both["change"].astype(pd.CategoricalDtype(["new", "gone"]))
        return both

    def drift(self, previous: pd.DataFrame, *, by: str = "check", ax: Axes | None = None) -> Axes:
        """How many findings are new, and how many are gone, since `previous`; `changes` gives them one by one."""
        changes = self.changes(previous)
        counts = pd.crosstab(changes[by], changes["change"]).reindex(columns=["new", "gone"], fill_value=0)
        counts = counts.loc[_most(counts.sum(axis=1))]
        new, gone = int(counts["new"].sum()), int(counts["gone"].sum())
        title = f"Findings since the earlier run by {by}: {new:,} new, {gone:,} gone, {len(self._frame) - new:,} stayed"
        return plots.diverging_bars(counts["new"], counts["gone"], title, "findings", ax)

    def ages(self, runs: pd.DataFrame) -> pd.DataFrame:
        """The findings of the newest run in a frame of several, with `since` and `age` in whole days.

        `since` is the effective time of the run from which on the finding was there in each: what went and came back is
        as old as its return. `runs` is the frame of that name. Before the first run nothing is known.
        """
        self._need("key", "run", "reference")
        ended = runs[runs["state"] == "ended"].sort_values("run")
        times = ended.set_index("run")["effective"]
        place = {run: number for number, run in enumerate(times.index)}
        names = [*(name for name in ("group", "reference") if self._has(name)), "key"]
        seen = self._frame.assign(_place=self._frame["run"].map(place)).dropna(subset=["_place"])
        last = seen["_place"].max()
        open_now = seen[seen["_place"] == last]
        runs_of = seen.drop_duplicates([*names, "_place"]).sort_values("_place", ascending=False)
        rank = runs_of.groupby(names, observed=True).cumcount()
        unbroken = runs_of[runs_of["_place"] == last - rank]
        first = unbroken.groupby(names, observed=True)["_place"].min()
        since = open_now.join(first.rename("_first"), on=names)["_first"].map(lambda number: times.iloc[int(number)])
        found = open_now.drop(columns="_place").assign(since=since)
        found["age"] = (times.iloc[int(last)] - found["since"]).dt.days if len(found) else pd.Series(dtype="int64")
        return found

    def ageing(self, runs: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
        """How long the findings of the newest run have been there, by severity; `ages` gives them one by one."""
        found = self.ages(runs)
        self._need("severity")
        bins = pd.cut(found["age"], [-1, *(most for _, most in AGES)], labels=[name for name, _ in AGES])
        counts = pd.crosstab(bins, found["severity"]).reindex([name for name, _ in AGES], fill_value=0)
        counts = counts[[name for name in findings.SEVERITIES[::-1] if name in counts]]
        since = runs.loc[runs["state"] == "ended", "effective"].min()
        told = f", watched since {since:%Y-%m-%d}" if len(found) else ""
        return plots.columns(counts, f"Findings by age: {len(found):,} open{told}", "findings", ax)

    def trend(self, runs: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
        """The images of each run by outcome; what was not assessed is not determined. `runs` is that frame."""
        self._need("run", "outcome", "reference")
        ended = runs[runs["state"] == "ended"].sort_values("run").set_index("run")["effective"]
        words = self._frame["outcome"].astype("str").fillna("not-determined")
        counts = pd.crosstab(self._frame["run"], words).reindex(ended.index, fill_value=0)
        counts = counts[[name for name in plots.IMAGE_OUTCOMES if name in counts]]
        counts.index = [f"{time:%Y-%m-%d}" for time in ended]
        return plots.columns(counts, f"Images by outcome in {_many(counts.index, 'run')}", "images", ax)

    def supply_chain(self, images: Iterable[str] = (), *, ax: Axes | None = None) -> Axes:
        """Builders, images and signers of a frame of signatures with a column `image`, joined by what links them.

        A whole line was verified for its signer; a broken one shows nothing. A builder is what provenance states: that
        is worth what its signer is. `images` are names that have to be there, signed or not: an image that nobody
        signed has no row in such a frame.
        """
        self._need("image", "what", "verdict", "builder", "key_id", "identity")
        frame = self._frame.assign(signer=self._signer())
        built = frame.dropna(subset=["builder"])
        names = list(dict.fromkeys((*images, *frame["image"].astype("str"))))
        bare = [name for name in names if name not in set(frame["image"])]
        edges = pd.concat(
            [
                _edges(0, built["builder"], built["image"], built["verdict"]),
                _edges(1, frame["image"], frame["signer"], frame["verdict"]),
                _edges(1, bare, _NOBODY, "unsigned"),
            ]
        ).drop_duplicates()
        builders, signers = sorted(set(built["builder"])), sorted({*frame["signer"], *([_NOBODY] if bare else [])})
        stages = [("Builders", builders), ("Images", names), ("Signers", signers)]
        verified = int((frame["verdict"] == "verified").sum())
        title = f"Who built and who signed: {_many(names, 'image')}, {verified} of {len(frame)} statements verified"
        return plots.graph(stages, edges, title, ax)

    def _signer(self) -> pd.Series:
        """An identity, else the beginning of a key's id, else nobody: as far as it was verified."""
        frame = self._frame
        keys = ("key " + frame["key_id"].str.slice(0, 12)).where(frame["key_id"].notna())
        named = frame["identity"].where(frame["identity"].notna(), keys)
        return named.where(frame["verdict"] == "verified", _NOBODY).fillna(_NOBODY)

    def _image(self) -> str:
        found = next((name for name in _NAMES if name in self._frame), None)
        if found is None:
            raise AttributeError(f"no column tells images apart: one of {', '.join(_NAMES)}")
        return found

    def _images(self) -> bool:
        return any(name in self._frame for name in _NAMES)

    def _has(self, *names: str) -> bool:
        return all(name in self._frame for name in names)

    def _need(self, *names: str) -> None:
        missing = [name for name in names if name not in self._frame]
        if missing:
            raise AttributeError(f"this needs a frame with the columns {', '.join(missing)}")


def _edges(stage: int, left: object, right: object, verdict: object) -> pd.DataFrame:
    edges = pd.DataFrame({"left": left, "right": right, "verdict": verdict}).astype("str")
    return edges.assign(stage=stage)


def _worst(frame: pd.DataFrame, row: str, column: str, word: str) -> pd.DataFrame:
    """The worst word of each row and column, missing where there is none."""
    order = {name: rank for rank, name in enumerate(_WORDS[word])}
    ranks = frame.assign(_rank=frame[word].astype("str").map(order))
    table = ranks.pivot_table(index=row, columns=column, values="_rank", aggfunc="min", observed=True, sort=False)
    names = dict(enumerate(_WORDS[word]))
    return table.map(lambda rank: names.get(rank) if pd.notna(rank) else None)


def _most(numbers: pd.Series) -> pd.Index:
    """The names in the order of their numbers, the highest first; equal ones by name."""
    by_name = numbers.sort_index()
    return by_name.sort_values(ascending=False, kind="stable").index


def _many(names: object, what: str) -> str:
    number = len(names)  # type: ignore[arg-type]
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
