"""Which account runs PostgreSQL: it refuses root, and it must reach its own files."""

import os
import pwd
import shutil
import stat
from pathlib import Path

from config.stack.processes import SAME, Identity

UNPRIVILEGED = "nobody"


class AccountError(Exception):
    """No account can run PostgreSQL here; the message says why and what to do."""


def postgres_identity(data: Path, others: list[Path]) -> Identity:
    """Return the account for PostgreSQL: ours, or under root an unprivileged one that reaches its files."""
    if os.geteuid() != 0:
        return SAME
    account = _account_for(data)
    if all(_reaches(account, path) for path in [data.parent, *others]):
        return Identity(user=account.pw_uid, group=account.pw_gid)
    return Identity(user=account.pw_uid, group=account.pw_gid, prefix=_prefix_through_closed_directories(account, data))


def _account_for(data: Path) -> pwd.struct_passwd:
    """Return the owner of an existing cluster, so that root may continue what a user began; otherwise ``nobody``."""
    if data.exists() and (owner := data.stat().st_uid) != 0:
        return pwd.getpwuid(owner)
    ordinary = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not ordinary:
        raise AccountError("PostgreSQL refuses to run as root and this machine has no other account. Set DATABASE_URL.")
    return next((entry for entry in ordinary if entry.pw_name == UNPRIVILEGED), ordinary[0])


def _reaches(account: pwd.struct_passwd, path: Path) -> bool:
    return all(_may_enter(account, directory.stat()) for directory in [path, *path.parents] if directory.exists())


def _may_enter(account: pwd.struct_passwd, directory: os.stat_result) -> bool:
    if directory.st_uid == account.pw_uid:
        return bool(directory.st_mode & stat.S_IXUSR)
    if directory.st_gid == account.pw_gid:
        return bool(directory.st_mode & stat.S_IXGRP)
    return bool(directory.st_mode & stat.S_IXOTH)


def _prefix_through_closed_directories(account: pwd.struct_passwd, data: Path) -> tuple[str, ...]:
    """Return a command that lets the account pass directories closed to it, such as a checkout under /root.

    Only that one capability is kept. Without ``no_setuid_fixup`` the kernel would ignore it in access(2), by which
    PostgreSQL finds its own program. The change of account clears the parent-death signal, so it is set again here.
    Unlike ``unshare --map-user`` this works in ordinary containers.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise AccountError(
            f"PostgreSQL refuses to run as root, and user {account.pw_name} cannot reach {data}. "
            "Install util-linux (setpriv), move Truelift out of closed directories, or set DATABASE_URL."
        )
    keep = "-all,+dac_override"
    return (setpriv, f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups",
            f"--inh-caps={keep}", f"--ambient-caps={keep}", "--securebits=+no_setuid_fixup",
            "--pdeathsig=INT", "--")  # fmt: skip
