"""What a security team asks of its fleet, answered by somebody who knows pandas and not us: one function a question.

`store` is a `compliance.Store`. The bodies are printed in docs/notebooks.md, and a test counts their lines.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from compliance import Store


def which_images_run_as_root(store: Store) -> Any:
    checks = store.checks
    root = checks[(checks["check"] == "NR-USER") & (checks["outcome"] == "failed")]
    return root["reference"]


def which_shells_exist_and_where(store: Store) -> Any:
    findings = store.findings
    shells = findings[(findings["check"] == "RM-SHELL") & (findings["verdict"] == "present")]
    return shells.groupby("path")["reference"].agg(list)


def which_base_image_explains_most_failures(store: Store) -> Any:
    failed = store.findings.query("outcome == 'failed'").groupby("layer", observed=True).size().rename("findings")
    shared = store.layers.groupby(["layer", "created_by"], observed=True)["digest"].nunique().rename("images")
    bases = shared.reset_index("created_by").join(failed, how="inner").query("images > 1")
    return bases.sort_values("findings", ascending=False)


def what_changed_since_last_week(store: Store) -> Any:
    last_week = store.at(store.runs["effective"].max() - pd.Timedelta(days=7))
    changes = store.findings.hullmark.changes(last_week.findings)
    return changes.groupby(["reference", "change", "check"], observed=True).size()


def which_controls_have_no_evidence(store: Store) -> Any:
    controls = store.controls
    said = controls["status"].isin(["satisfied", "supported", "contradicted"])
    any_said = said.groupby([controls["framework"], controls["control"]], observed=True).any()
    return any_said[~any_said].index


def which_waivers_end_this_month(store: Store) -> Any:
    waivers = store.waivers
    now = store.images["assessed_at"].max()
    ends = waivers[waivers["expires"].between(now, (now + pd.offsets.MonthEnd(0)).replace(hour=23, minute=59))]
    return ends[ends["state"] == "applied"][["id", "check", "reference", "expires"]]


QUESTIONS = (
    which_images_run_as_root,
    which_shells_exist_and_where,
    which_base_image_explains_most_failures,
    what_changed_since_last_week,
    which_controls_have_no_evidence,
    which_waivers_end_this_month,
)
