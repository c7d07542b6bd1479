"""File capabilities: the extended attribute security.capability, decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Names by bit number, capabilities(7).
# fmt: off
NAMES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)
# fmt: on
_REVISION_MASK, _EFFECTIVE = 0xFF000000, 0x000001
_WORDS = {0x01000000: 1, 0x02000000: 2, 0x03000000: 2}
"""32-bit words of each set by VFS_CAP_REVISION (linux/capability.h)."""
_ROOTID_REVISION = 0x03000000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCapabilities:
    """A decoded security.capability attribute: bit sets, and for revision 3 the root id of its user namespace."""

    permitted: int
    inheritable: int
    effective: bool
    root_id: int | None

    def __str__(self) -> str:
        """As getcap prints it: ``cap_net_raw,cap_setuid=ep``."""
        sets: dict[str, list[str]] = {}
        for bit in range(64):
            flags = ("i" if self.inheritable >> bit & 1 else "") + ("p" if self.permitted >> bit & 1 else "")
            if flags:
                flags = ("e" if self.effective else "") + flags
                sets.setdefault(flags, []).append(f"cap_{NAMES[bit]}" if bit < len(NAMES) else f"cap_{bit}")
        return " ".join(f"{','.join(names)}={flags}" for flags, names in sorted(sets.items()))


def decode(attribute: bytes) -> FileCapabilities | None:
    """Read a vfs_cap_data structure of revision 1, 2 or 3 (linux/capability.h); None for anything else."""
    if len(attribute) < 4:
        return None
    magic = int.from_bytes(attribute[:4], "little")
    words = _WORDS.get(magic & _REVISION_MASK)
    with_root = magic & _REVISION_MASK == _ROOTID_REVISION
    if words is None or len(attribute) != 4 + 8 * words + 4 * with_root:
        return None
    values = struct.unpack(f"<{2 * words + with_root}I", attribute[4:])
    permitted = sum(values[2 * word] << 32 * word for word in range(words))
    inheritable = sum(values[2 * word + 1] << 32 * word for word in range(words))
    return FileCapabilities(
        permitted=permitted,
        inheritable=inheritable,
        effective=bool(magic & _EFFECTIVE),
        root_id=values[-1] if with_root else None,
    )
