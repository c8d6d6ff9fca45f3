"""supervisord: its configuration, its process, and what it is asked over its Unix socket."""

import http.client
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from embedded import environment
from embedded.config import Config
from embedded.processes import descendants, end
from embedded.services import Service, services
from fems.errors import ServiceUnavailable

_STOPPED = {"STOPPED", "EXITED", "FATAL", "UNKNOWN"}


class Supervisor:
    """The supervisord of one stack, running or not."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.conf = config.state / "supervisord.conf"
        self._pidfile = config.state / "supervisord.pid"

    def process(self) -> psutil.Process | None:
        """Return the running supervisord, or None. A pid that has been given to something else is not it."""
        try:
            process = psutil.Process(int(self._pidfile.read_text()))
            ours = process.cmdline()[-3:] == ["-m", "embedded.daemon", str(self.conf)]
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, psutil.Error):
            return None

    def end_left_behind(self) -> bool:
        """End what a supervisord that was killed left behind: a scheduler that waits for its workers, for instance.

        All that it ran is of its session and works in the state folder; whatever else was given its number is not.

        Returns:
            Whether there was anything.
        """
        if self.process() is not None:
            return False
        try:
            session = int(self._pidfile.read_text())
        except (OSError, ValueError):
            return False
        left = [process for process in psutil.process_iter() if self._is_of(process, session)]
        end(left)
        return bool(left)

    def _is_of(self, process: psutil.Process, session: int) -> bool:
        with suppress(OSError, psutil.Error):
            return os.getsid(process.pid) == session and Path(process.cwd()).is_relative_to(self.config.state)
        return False

    def start(self) -> None:
        """Start supervisord in a session of its own, with every program known and none started.

        Raises:
            ServiceUnavailable: it does not answer.
        """
        self.conf.write_text(_configuration(self.config))
        self.config.supervisor_socket.unlink(missing_ok=True)
        log = self.config.logs / "supervisord.out"
        with log.open("wb") as out:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "embedded.daemon", str(self.conf)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.config.state,
                env=environment.clean(), start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and daemon.poll() is None:
            with suppress(ServiceUnavailable):
                self._call("getPID")
                return
            time.sleep(0.1)
        raise ServiceUnavailable(
            f"supervisord did not start: {log.read_text(errors='replace').strip() or 'no answer'}"
        )

    def states(self) -> dict[str, dict[str, Any]]:
        """Return supervisord's account of each program (statename, pid, start, spawnerr, ...)."""
        return {info["name"]: info for info in self._call("getAllProcessInfo")}

    def start_program(self, name: str) -> None:
        """Start a program unless it runs."""
        self._call("startProcess", name, False, tolerate="ALREADY_STARTED")

    def stop_programs(self, names: Iterable[str], patience: float) -> None:
        """Stop programs side by side and wait for them."""
        waiting = set(names)
        for name in waiting:
            self._call("stopProcess", name, False, tolerate="NOT_RUNNING")
        deadline = time.monotonic() + patience
        while waiting and time.monotonic() < deadline:
            states = self.states()
            waiting = {name for name in waiting if states[name]["statename"] not in _STOPPED}
            time.sleep(0.1)

    def shutdown(self) -> None:
        """Stop every program, supervisord, and whatever they left behind."""
        process = self.process()
        if process is None:
            return
        family = descendants(process)
        with suppress(ServiceUnavailable):
            upper = [service.name for service in services(self.config) if service.group != "storage"]
            self.stop_programs(upper, 25)
            # While supervisord lives it adopts orphans: a task whose scheduler has gone is found here.
            running = {info["pid"] for info in self.states().values()}
            end(child for child in process.children() if child.pid not in running)
            self.stop_programs([service.name for service in services(self.config)], 25)
        family += descendants(process)
        with suppress(psutil.NoSuchProcess):
            process.terminate()
        with suppress(psutil.TimeoutExpired):
            process.wait(15)
        end({process, *family, *descendants(process)})
        self._pidfile.unlink(missing_ok=True)
        self.config.supervisor_socket.unlink(missing_ok=True)

    def _call(self, method: str, *arguments: object, tolerate: str = "") -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(serverurl=f"unix://{self.config.supervisor_socket}")
        try:
            proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if tolerate and tolerate in fault.faultString:
                return None
            raise ServiceUnavailable(f"supervisord: {fault.faultString}") from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise ServiceUnavailable(
                f"supervisord does not answer on {self.config.supervisor_socket} ({error}): "
                f"run `make down`, then start again"
            ) from error
        finally:
            transport.close()


def log_file(config: Config, name: str) -> Path:
    """Return where a service's output goes."""
    return config.logs / f"{name}.log"


def _configuration(config: Config) -> str:
    root = "user=root" if os.geteuid() == 0 else ""
    head = f"""\
; Written by `python -m embedded up`.
[supervisord]
logfile={config.logs / "supervisord.log"}
pidfile={config.state / "supervisord.pid"}
childlogdir={config.logs}
umask=077
{root}

[unix_http_server]
file={config.supervisor_socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    return head + "".join(_program(config, index, service) for index, service in enumerate(services(config)))


def _program(config: Config, index: int, service: Service) -> str:
    words = [sys.executable, "-m", "embedded.launch", str(config.state), service.name]
    command = " ".join(f'"{word}"' for word in words)
    return f"""
[program:{service.name}]
command={command}
priority={index}
autostart=false
autorestart=true
startsecs=2
startretries=3
stopsignal={service.stop_signal}
stopwaitsecs=15
stopasgroup={"false" if service.name == "postgres" else "true"}
killasgroup=true
redirect_stderr=true
stdout_logfile={log_file(config, service.name)}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""
