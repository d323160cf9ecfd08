"""Start every part of the product in order, keep them running, stop them in order."""

import os
import signal
import time
from collections.abc import Callable

from config.env import SettingError
from config.stack import embedded, external, first_start, home, services
from config.stack.children import Children, added_to, finish, log_size
from config.stack.options import Options
from config.stack.processes import tail
from config.stack.screen import Screen
from config.stack.services import Service

READY_SECONDS = 90
STEPS = 5  # PostgreSQL, Valkey, tables, server, worker


class Stopped(Exception):  # noqa: N818  (a request, not an error)
    """Somebody asked the stack to stop while it was starting."""


class Supervisor:
    """One start of the whole product, from the first check to the last stopped server."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.screen = Screen(STEPS + bool(os.environ.get("EMAIL_URL")))
        self.state = home.State(pid=os.getpid(), url=options.local_url)
        self.stop_requests = 0
        self.began = time.monotonic()

    def run(self) -> int:
        """Run until somebody asks to stop, or a part cannot be started; return the exit status."""
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, self._on_signal)
        try:
            lock = home.lock(self.options.home, self.pause)
            # After the lock: a killed stack that is still stopping may hold the port.
            address = external.check_port(self.options.host, self.options.port)
            self._write_state()
            self.children = Children(self.screen, lock, self._write_state)
        except (SettingError, home.HomeError) as error:
            return self._fail(error)
        except Stopped:
            return 0
        try:
            self._start(address)
            while True:
                self.pause(0.25)
                self.children.start_failed_again()
        except (SettingError, embedded.ServerError) as error:
            return self._fail(error)
        except Stopped:
            return 0
        finally:
            self._stop()

    def pause(self, seconds: float) -> None:
        """Wait a moment with the bar alive; break off whatever is going on when a stop was asked for."""
        if self.stop_requests:
            raise Stopped
        self.screen.tick()
        time.sleep(seconds)

    def _on_signal(self, _number: int, _frame: object) -> None:
        self.stop_requests += 1

    def _fail(self, error: Exception) -> int:
        self.screen.line("✗", str(error))
        return 1

    def _write_state(self, children: dict[str, int] | None = None) -> None:
        self.state.children = children or {}
        self.state.write(self.options.home)

    def _start(self, address: str) -> None:
        self.screen.line("·", f"Truelift starts in {self.options.home}; Ctrl-C stops it")
        self._start_servers()
        self._prepare()
        self._start_processes(address)
        self._load_demo()
        if self.options.live and services.has_command("simulate_shop") and first_start.has_demo(self.options):
            self.children.start(services.live(self.options))
        self.state.ready = True
        self.state.write(self.options.home)
        self._say_ready()

    def _start_servers(self) -> None:
        """Check every server that the environment names, then start those that it does not."""
        named = {name: os.environ.get(name) for name in external.CHECKS}
        for name, (label, check) in external.CHECKS.items():
            if url := named[name]:
                with self.screen.step(f"Checking {name}") as step:
                    step.text = f"{label} {check(url)} from {name}"
        if not named["DATABASE_URL"]:
            self._start_one(services.postgres(self.options, self.pause), "Starting PostgreSQL", "PostgreSQL ready")
        if not named["REDIS_URL"]:
            self._start_one(services.valkey(self.options, self.pause), "Starting Valkey", "Valkey ready")

    def _start_one(self, service: Service, title: str, done: str) -> None:
        with self.screen.step(title) as step:
            self.children.start(service)
            step.text = done

    def _prepare(self) -> None:
        """Bring the tables up to date and gather the static files, both at once."""
        names = ("migrate", "collectstatic")
        with self.screen.step("Preparing tables and static files") as step:
            logs = [self.options.home / "logs" / f"{name}.log" for name in names]
            before = log_size(logs[0])
            jobs = [
                services.start_command(self.options, log, name, "--no-input", "--skip-checks")
                for name, log in zip(names, logs, strict=True)
            ]
            for name, log, status in zip(names, logs, finish(jobs, self.children, self.pause), strict=True):
                if status != 0:
                    raise embedded.ServerError(f"manage.py {name} failed. Its log {log} ends: {tail(log)}")
            applied = added_to(logs[0], before).count("... OK")
            step.text = f"Tables up to date ({applied} migrations applied), static files gathered"

    def _start_processes(self, address: str) -> None:
        """Start server and worker together, then the schedule: each takes seconds of processor, mostly of imports."""
        web, worker = services.web(self.options, address), services.worker(self.options)
        start_of_log = log_size(worker.log)
        for service in (web, worker):
            self.children.start(service)
        with self.screen.step("Starting the server") as step:
            self._wait_for(web, lambda: services.server_answers(self.options))
            step.text = f"Server ready at {self.options.local_url}"
        with self.screen.step("Starting worker and schedule") as step:
            self._wait_for(worker, lambda: services.WORKER_IS_READY in added_to(worker.log, start_of_log))
            self.children.start(services.beat(self.options))
            step.text = f"Worker ready ({self.options.workers} processes), schedule started"

    def _wait_for(self, service: Service, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready():
            if not self.children.runs(service.name) or time.monotonic() > deadline:
                raise embedded.ServerError(
                    f"{service.title} did not become ready. Its log {service.log} ends: {tail(service.log)}"
                )
            self.pause(0.05)

    def _load_demo(self) -> None:
        """Load the demo where nothing is set up yet, or where its loading was broken off."""
        unfinished = self.options.home / "demo.unfinished"
        wanted = self.options.demo and services.has_command("load_demo")
        if not wanted or (first_start.has_project(self.options) and not unfinished.exists()):
            return
        self.screen.line("·", "Loading the demo: experiments with a known truth, sent through the product's own doors")
        unfinished.touch()
        job = services.start_command(self.options, None, "load_demo", "--base-url", self.options.local_url)
        [status] = finish([job], self.children, self.pause)
        if status != 0:
            self.screen.line("!", f"The demo could not be loaded (status {status}); the next start tries again.")
            return
        unfinished.unlink()
        self.screen.line("✓", "Demo loaded")

    def _say_ready(self) -> None:
        say = self.screen.text
        self.screen.line("✓", f"Ready after {time.monotonic() - self.began:.1f} s")
        say()
        say(f"  Truelift    {self.options.local_url}")
        for line in first_start.sign_in_lines(self.options):
            say(f"  {line}")
        say(f"  data, logs  {self.options.home}")
        say("  Ctrl-C stops everything.")
        say()

    def _stop(self) -> None:
        already = self.stop_requests
        self.screen.line("·", "Stopping; Ctrl-C again to hurry" if already else "Stopping")
        self.children.stop(lambda: self.stop_requests > already)
        self.state.ready = False
        self._write_state()
        self.screen.line("✓", "Everything has stopped")
