"""Make ``.venv`` and install the project into it, once for each state of pyproject.toml.

Run by whatever Python the machine has, before anything is installed: ``python3 -I config/bootstrap.py [--dev]``.
Standard library only, and readable to a Python 3.6, so that an old one is told what is missing.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time

NEEDED = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
DECIDING = (
    "pyproject.toml",
    "setup.py",
    *(os.path.join("assignment", "engine", name) for name in ("_native.c", "_hash.h", "_steps.h", "_many.h")),
)
"""What an installation is made from: another content of any of these is another installation."""


def say(text: str) -> None:
    """Print one line with the time of day."""
    print("{} {}".format(time.strftime("%H:%M:%S"), text), flush=True)


def use_new_enough_python() -> None:
    """Continue under a newer Python of this machine when this one is too old."""
    if sys.version_info >= NEEDED:
        return
    for name in NEWER:
        found = shutil.which(name)
        if found:
            os.execv(found, [found, "-I", os.path.abspath(__file__), *sys.argv[1:]])
    sys.exit(
        "✗ Truelift needs Python {}.{} or later; {} is {}.{}. Install a newer one and name it: "
        "make run PYTHON=/path/to/python3.12".format(*NEEDED, sys.executable, *sys.version_info[:2])
    )


def environment_works() -> bool:
    """Return whether ``.venv`` has a new enough Python with pip, after giving it pip where it has none."""
    if not os.path.exists(PYTHON):
        return False
    if not succeeds("-c", f"import sys; sys.exit(sys.version_info < {NEEDED})"):
        return False
    return succeeds("-c", "import pip") or succeeds("-m", "ensurepip", "--default-pip")


def succeeds(*arguments: str) -> bool:
    """Run the environment's Python in silence and return whether it succeeded."""
    command = [PYTHON, *arguments]
    return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def make_environment() -> None:
    """Make ``.venv`` where it is missing or does not work."""
    if environment_works():
        return
    try:
        import ensurepip  # noqa: F401  (Debian keeps it in a package of its own)
        import venv  # noqa: F401
    except ImportError:
        sys.exit(
            "✗ This Python cannot make virtual environments. On Debian or Ubuntu: "
            "apt install python{}.{}-venv; then run the command again.".format(*sys.version_info[:2])
        )
    say("· Making .venv with Python {}.{}".format(*sys.version_info[:2]))
    if subprocess.call([sys.executable, "-m", "venv", "--clear", VENV]) != 0:
        sys.exit("✗ .venv could not be made; the lines above say why.")


def stamp(extras: str) -> str:
    """Return what an installation depends on, in one line."""
    digest = hashlib.sha256()
    for name in DECIDING:
        path = os.path.join(ROOT, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                digest.update(hashlib.sha256(file.read()).digest())
    return f"{digest.hexdigest()} {extras} {ROOT}"


def install(extras: str) -> None:
    """Install the project with pip's own progress, unless this pyproject.toml is installed already."""
    mark = os.path.join(VENV, "installed-" + (extras or "run"))
    wanted = stamp(extras)
    for name in {mark, os.path.join(VENV, "installed-dev")}:  # what tests need includes what running needs
        if os.path.exists(name):
            with open(name) as file:
                if file.read() in (wanted, stamp("dev")):
                    return
    began = time.time()
    say("· Installing Truelift and what it needs into .venv (about a minute)")
    project = ROOT + (f"[{extras}]" if extras else "")
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "on", "-e", project]
    if subprocess.call(pip) != 0:
        sys.exit("✗ The installation failed; the lines above say why. Run the command again when it is mended.")
    with open(mark, "w") as file:
        file.write(wanted)
    say(f"✓ Installed ({time.time() - began:.0f} s)")
    if not succeeds("-c", "import assignment.engine._native"):
        say("· No C compiler with Python's headers was found: units are assigned by numpy, which is right but slower.")


def main() -> None:
    """Bring ``.venv`` up to date."""
    use_new_enough_python()
    make_environment()
    install("dev" if "--dev" in sys.argv[1:] else "")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\n✗ Interrupted; the next run continues.")
