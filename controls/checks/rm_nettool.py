"""RM-NETTOOL: nothing in the image fetches files or moves on in a network by itself."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Outcome, Severity, Trait
from controls.detection import conclude, detect


def run(evidence: Evidence) -> Outcome:
    """Network tools by content, applet and name; libraries are none."""
    return conclude(evidence, detect(evidence, "network-tools"))


CHECK = Check(
    id="RM-NETTOOL",
    title="No download, transfer or pivot tools",
    trait=Trait.REMOVED,
    severity=Severity.MEDIUM,
    rationale="Download and transfer tools are how an intruder fetches the next stage, sends data out and reaches "
    "other hosts from inside the network.",
    looks_at="Every regular file of the merged file tree: content markers of curl, wget, netcat, socat, nmap, rsync, "
    "the clients of SSH, FTP, telnet and DNS, ping and traceroute, iproute2, tunnels, browsers and others, in "
    "programs, scripts and what UPX packed, the applets of BusyBox and Toybox, and names. A library such as libcurl "
    "is none. Clients of one service and the openssl command are noted, not counted.",
    proves="A pass proves that every regular file was read and that none is a network tool known by content, applet, "
    "package or name. It does not prove that the application, or an interpreter, can't open connections.",
    remediation="Leave the tools in the build stage. For a health check, use a subcommand of the application, "
    "not curl or wget.",
    run=run,
    references=("NIST SP 800-190, 4.1.2",),
)
