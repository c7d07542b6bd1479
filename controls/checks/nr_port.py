"""NR-PORT: the declared ports need no privilege and are not those of a remote login."""

from __future__ import annotations

import re

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Failed, Outcome, Passed, Severity, Trait, Unknown
from controls.observe import config_observation, count

UNPRIVILEGED_MIN = 1024
REMOTE_LOGIN = {22: "SSH", 23: "Telnet", 3389: "RDP"}
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/[a-z]+)?", re.ASCII)


def run(evidence: Evidence) -> Outcome:
    """config.ExposedPorts, ranges too."""
    config = evidence.image.config
    if config is None:
        return Unknown(reason="a root filesystem has no image config, so no ports are declared")
    found, odd = [], []
    for text in config.exposed_ports:
        match = _PORT.fullmatch(text)
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else 0
        if not 0 < first <= last <= 65535:
            odd.append(config_observation(f"ExposedPorts has {text!r}, which is no port.", text))
            continue
        logins = [name for port, name in REMOTE_LOGIN.items() if first <= port <= last]
        if logins:
            summary = f"The port {text} is declared, which is for a remote login ({', '.join(logins)})."
            found.append(config_observation(summary, text))
        elif first < UNPRIVILEGED_MIN:
            found.append(config_observation(f"The privileged port {text} is declared.", text))
    if found:
        return Failed(observations=(*found, *odd))
    if odd:
        return Unknown(reason="the config declares ports that can't be read", observations=tuple(odd))
    ports = ", ".join(config.exposed_ports)
    declared = f"{count(len(config.exposed_ports), 'port')} ({ports})" if ports else "no port"
    return Passed(observations=(config_observation(f"The image config declares {declared}.", ports or None),))


CHECK = Check(
    id="NR-PORT",
    title="No privileged or remote-login port declared",
    trait=Trait.NONROOT,
    severity=Severity.LOW,
    rationale="Listening below 1024 takes a privilege that a non-root container does not have everywhere, so images "
    "that want such ports tend to run as root; ports of remote logins announce a service that a container should not "
    "have.",
    looks_at="config.ExposedPorts.",
    proves="A pass proves that no declared port is below 1024 or one of 22, 23 and 3389. A declaration is "
    "documentation: which ports a process really opens, and so whether one is undeclared, can't be seen in an image.",
    remediation="Let the service listen on a port from 1024 and declare that one; map it outside the container.",
    run=run,
    references=("OCI image-spec config.md: config.ExposedPorts",),
)
