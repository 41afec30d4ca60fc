"""
Every check of the project: ``python3 -m pip install nox && python3 -m nox -s tests``.

Each session makes its own environment, so a machine needs Python and nothing else.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = [
    "tests", "lint", "typing", "docs", "examples", "audit", "views", "wheel",
]  # fmt: skip

PROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = nox.project.python_versions(PROJECT)
AT_HAND = f"{sys.version_info.major}.{sys.version_info.minor}"
TYPED = ["sessionstate", "tests/typing", "examples"]


def ask(*command: str) -> str | None:
    """
    What *command* prints, or None if there is no such program or it fails.
    """
    if not (program := shutil.which(command[0])):
        return None
    done = subprocess.run([program, *command[1:]], capture_output=True, check=False, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def show_pyenv_versions() -> None:
    """
    Let pyenv's shims answer for every version it has, not for the selected one alone.
    """
    root, selected = ask("pyenv", "root"), ask("pyenv", "version-name")
    if root and selected:
        # What was selected stays first, so that `python3` means what it meant before.
        others = (ask("pyenv", "versions", "--bare") or "").split()
        os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys([*selected.split(":"), *others]))
        os.environ.setdefault("PYENV_ROOT", root)


def is_installed(version: str) -> bool:
    """
    Tell whether this machine can run Python *version*.
    """
    launcher = ["py", f"-{version}"] if sys.platform == "win32" else [f"python{version}"]
    return ask(*launcher, "-c", "import sys; print('%d.%d' % sys.version_info[:2])") == version


show_pyenv_versions()
INTERPRETERS = [AT_HAND, *(v for v in SUPPORTED if v != AT_HAND and is_installed(v))]
NEWEST = next((v for v in reversed(SUPPORTED) if v in INTERPRETERS), AT_HAND)


PROGRAMS = ("cli", "demo", "documentation_servers", "examples", "servers")
"""What the tests are about that run programs."""

WORKERS = ("-n", "logical", "--dist", "worksteal")
"""The suite runs on every core."""

EXTRAS = "demo,examples,audit-fix,dashboard,otel,prometheus,top"
"""What the suite is run with."""

APART = ("audit", "dashboard", "observability", "top")
"""What has folders of its own: the parts that are built on the public face."""

VIEWS = ("dashboard/test_page*.py", "top/test_*.py")
"""What is seen by a browser and in a terminal: it has a session of its own."""

ALIKE = ("leakcheck", "mutants", "soak", "stress")
"""What takes long, and differs in nothing from one interpreter to the next."""

LONG = (*APART, *ALIKE, "explore", "plugin", "scenarios")
"""What takes long, and differs little."""


def without(*names: str) -> list[str]:
    """
    Return the options that leave out the tests of these *names*: files, and folders.
    """
    patterns = [pattern for name in names for pattern in (f"test_{name}*.py", f"{name}/*")]
    return [f"--ignore-glob=tests/{pattern}" for pattern in patterns]


def install(session: nox.Session, *groups: str, extras: str = "") -> None:
    """
    Install the tree, in place, with *extras* and the dependency *groups*.
    """
    requirements = nox.project.dependency_groups(PROJECT, *groups) if groups else ()
    session.install("-e", f".[{extras}]" if extras else ".", *requirements)


@nox.session
def demo(session: nox.Session) -> None:
    """
    The same traffic against plain dicts and against sessionstate, side by side.
    """
    session.install(".[demo]")
    session.run("sessionstate", "demo", *session.posargs)


@nox.session(python=INTERPRETERS)
def tests(session: nox.Session) -> None:
    """
    The suite on every supported interpreter of this machine; on the oldest with uvloop too.

    It is whole on the interpreter at hand, but for the `VIEWS`; on the others the tests of
    `PROGRAMS` and those that are `ALIKE` do not run again, and those that are `LONG` only on the
    newest. On the oldest, on Linux, every branch of the core has to be taken.
    """
    install(session, "test", "counting", extras=EXTRAS)
    again = (*PROGRAMS, *(ALIKE if session.python == NEWEST else LONG))
    apart = () if session.python == AT_HAND else again
    oldest = session.python == SUPPORTED[0]
    counted = oldest and sys.platform == "linux" and not session.posargs
    counting = {"SESSIONSTATE_COUNTING": "1"} if counted else {}
    seen = [f"--ignore-glob=tests/{pattern}" for pattern in VIEWS]
    chosen = (*without(*apart), *seen, *session.posargs)
    session.run("pytest", *WORKERS, *chosen, env=counting)
    if counted:
        session.notify("coverage")
    if oldest and sys.platform != "win32":
        # Not what has a loop or a process of its own, for which this would be the same again.
        apart = (*PROGRAMS, *LONG, "*machine", "tracing", "virtual")
        session.run("pytest", *WORKERS, "--uvloop", *without(*apart), *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """
    The branches of the core that the last run of the suite, with `nox -s tests`, took: all of them.
    """
    if not list(Path().glob(".coverage*")):
        session.error(f"nothing was counted yet: run nox -s tests-{SUPPORTED[0]} first, on Linux")
    session.install(*nox.project.dependency_groups(PROJECT, "counting"))
    session.run("coverage", "combine", success_codes=[0, 1])  # 1: they were put together before
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """
    Ruff, as linter and as formatter, over code and over the code in the documentation.
    """
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """
    Two type checkers, and the share of the public face that has types: all of it.
    """
    install(session, "typing", extras=EXTRAS)
    session.run("mypy", *TYPED)
    session.run("pyright", *TYPED)
    session.run("pyright", "--verifytypes", "sessionstate", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """
    The documentation; a warning or a dead reference is an error.
    """
    install(session, "docs", extras=EXTRAS)
    build = ["sphinx-build", "-W", "-n", "--keep-going", "-b", "html"]
    session.run(*build, "docs", "docs/_build/html", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """
    Each example, run as its reader would run it.
    """
    install(session, "test", extras="examples")
    session.run(
        "pytest", "tests/test_examples.py", "tests/test_examples_owned.py", *session.posargs
    )


@nox.session
def audit(session: nox.Session) -> None:
    """
    The audit on its corpus, on this package, which is clean, and on the plain server of the demo.
    """
    install(session, extras="cli")
    session.run("python", "-m", "tests.audit.scoring", *session.posargs)
    session.run("sessionstate", "audit", "sessionstate")
    plain = "sessionstate/_cli/demo/plain.py"
    session.run("sessionstate", "audit", plain, "--statistics", success_codes=[1])


@nox.session
def views(session: nox.Session) -> None:
    """
    The live page in a real Chromium, and `sessionstate top` in a terminal.

    Chromium is installed where that is Debian's to do; without one, those tests say why they skip.
    """
    install(session, "test", extras="dashboard,demo,top")
    if os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in ("update", "install -y --no-install-recommends chromium fonts-dejavu-core"):
            if not shutil.which("chromium"):
                apt = ["apt-get", *words.split()]
                session.run(*apt, external=True, silent=True, success_codes=[0, 100])
    seen = [str(path) for pattern in VIEWS for path in sorted(Path("tests").glob(pattern))]
    session.run("pytest", *WORKERS, *seen, *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """
    What things cost, as ratios to their references. Never a test: nothing fails by being slow.
    """
    install(session, "bench", extras="dashboard,otel,prometheus")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def stress(session: nox.Session) -> None:
    """
    Every scenario disturbed at every point, 100,000 state machines, the long forms of the tests.

    For example ``nox -s stress -- --budget 10m``, for the scenarios and for the machines each; the
    other options are those of the scenarios' program. The long tests take their five minutes.
    """
    install(session, "test", extras=EXTRAS)
    session.run("python", "-m", "tests.stress", *session.posargs)
    parser = argparse.ArgumentParser()
    parser.add_argument("--budget")
    budget = parser.parse_known_args(session.posargs)[0].budget
    session.run("python", "-m", "tests.machines", *(["--budget", budget] if budget else []))
    session.run("pytest", "-m", "stress")


@nox.session
def soak(session: nox.Session) -> None:
    """
    Ten million sessions of every ending, and what is left of them: nothing. It takes minutes.
    """
    install(session, "test")
    session.run("python", "-m", "tests.soak", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """
    Defects seeded one at a time into a copy, of which the suite is to find 95 %. It takes long.
    """
    install(session, "test", extras=EXTRAS)
    session.run("python", "-m", "tests.mutants", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """
    What would be published: the sdist's tests against the wheel, with no extra installed.
    """
    session.install("build")
    folder = Path(session.create_tmp())
    shutil.rmtree(folder / "dist", ignore_errors=True)
    shutil.rmtree(folder / "sdist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(folder / "dist"))
    (built,) = (folder / "dist").glob("*.whl")
    (source,) = (folder / "dist").glob("*.tar.gz")

    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
    if "sessionstate/py.typed" not in names:
        session.error(f"{built.name} has no sessionstate/py.typed: type checkers would ignore it")
    if "sessionstate/audit/rules/SS001.md" not in names:
        session.error(f"{built.name} has no pages of the audit's rules: --explain would show none")
    if "sessionstate/dashboard/static/index.html" not in names:
        session.error(f"{built.name} has no files of the live page: a browser would show nothing")
    if strays := [n for n in names if not n.startswith(("sessionstate/", "sessionstate-"))]:
        session.error(f"{built.name} has files outside the package: {strays}")

    with tarfile.open(source) as archive:
        archive.extractall(folder / "sdist", filter="data")
    (tree,) = (folder / "sdist").iterdir()
    # Otherwise the tests would import the sources beside them instead of the wheel.
    shutil.rmtree(tree / "sessionstate")

    session.run("python", "-m", "venv", "--clear", str(folder / "venv"))
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = str((folder / "venv" / scripts / "python").absolute())
    session.run(python, "-m", "pip", "install", "-q", str(built), external=True)
    smoke = (
        "import sys, sessionstate as s;"
        "assert s.__file__.startswith(sys.prefix), s.__file__;"
        "assert all(hasattr(s, name) for name in s.__all__)"
    )
    # -I: neither the working directory nor PYTHONPATH may stand in for the wheel.
    session.run(python, "-I", "-W", "error", "-c", smoke, external=True)
    requirements = nox.project.dependency_groups(PROJECT, "test")
    session.run(python, "-m", "pip", "install", "-q", *requirements, external=True)
    with session.chdir(tree):
        # The long ones ran on the same sources; what a wheel may lack shows in the others.
        apart = (*PROGRAMS, *LONG, "*machine", "*processes*", "last_layers", "run*")
        command = [python, "-m", "pytest", *WORKERS, *without(*apart), *session.posargs]
        # Not nox's own TMPDIR: tests that run pytest would find this project around their files.
        session.run(*command, env={"PYTHONPATH": None, "TMPDIR": None}, external=True)
