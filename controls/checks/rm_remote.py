"""RM-REMOTE: nobody logs in to a container of the image from elsewhere."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Observation, Outcome, Severity, Trait
from controls.detection import conclude, detect
from controls.observe import config_observation

_LOGIN_PORTS = {"22": "SSH", "23": "Telnet"}


def run(evidence: Evidence) -> Outcome:
    """Servers by content and name, SSH host keys, and the login ports in the config. For every variant."""
    return conclude(evidence, detect(evidence, "remote-access"), more=_ports(evidence), by_purpose=False)


def _ports(evidence: Evidence) -> tuple[Observation, ...]:
    config = evidence.image.config
    ports = config.exposed_ports if config is not None else ()
    return tuple(
        config_observation(f"The config exposes port {port}, the port of {_LOGIN_PORTS[number]}.", port)
        for port in ports
        for number, _, protocol in (port.partition("/"),)
        if number in _LOGIN_PORTS and protocol in ("", "tcp")
    )


CHECK = Check(
    id="RM-REMOTE",
    title="No remote-login service",
    trait=Trait.REMOVED,
    severity=Severity.HIGH,
    rationale="A container is managed through its runtime, which authenticates and records; a login service beside "
    "it is a second door with accounts and keys of its own.",
    looks_at="Every regular file of the merged file tree: content markers of the servers of SSH, telnet, rsh, FTP, "
    "VNC and RDP, of inetd and of web terminals, in what UPX packed too, the telnetd and inetd applets of BusyBox, "
    "the names of other login services, SSH host keys in /etc/ssh and /etc/dropbear; and ExposedPorts 22 and 23 of "
    "the config. It holds for dev and sdk images too.",
    proves="A pass proves that every regular file was read, that none is a login service known by content, applet, "
    "package or name, that no SSH host key is at its usual place, and that no login port is declared. It does not "
    "prove what the application itself offers on its ports.",
    remediation="Remove the server and its host keys, and the EXPOSE line; use the runtime's exec or an ephemeral "
    "debug container.",
    run=run,
    references=("NIST SP 800-190, 4.1.2", "Kubernetes documentation: ephemeral containers"),
)
