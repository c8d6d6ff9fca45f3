"""What a stranger, a service that was taken over, or a stolen key tries on the running containers; all of it must fail.

Beside each kind stands what must go in: an attack that fails because nothing answers would show nothing.
"""

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine import PORTS, ROOT, STATE, Engine, Failure

sys.path.insert(0, str(ROOT / "tests"))

if TYPE_CHECKING:
    from minio import Minio

_SECRETS = STATE / "secrets"
_MLFLOW = "api/2.0/mlflow"
_CODE = ("dags", "plugins", "include/fems")


@dataclass(frozen=True)
class Try:
    """Something that is tried.

    Attributes:
        what: in words.
        goes_in: does it, and tells whether it went in.
        should: whether it should.
    """

    what: str
    goes_in: Callable[[], bool]
    should: bool = False


def attack(engine: Engine, services: dict[str, dict[str, Any]]) -> tuple[int, int]:
    """Try everything; return how many attacks were held off, and how many tries went in that should.

    Raises:
        Failure: something went in that should not, or nothing does.
    """
    tries = [*_at_the_doors(), *_with_stolen_keys(), *_from_inside(engine, services)]
    for each in tries:
        if each.goes_in() != each.should:
            raise Failure(f"attacks: {each.what}: {'does not go in' if each.should else 'goes in'}")
    allowed = sum(each.should for each in tries)
    return len(tries) - allowed, allowed


def _secret(name: str) -> str:
    return (_SECRETS / name).read_text().strip()


def _at_the_doors() -> Iterator[Try]:
    """Ask MLflow and Airflow as nobody, as the reader, and as the platform for what is not the platform's."""
    from callers import Mlflow

    passwords = {user: _secret(f"mlflow_{user}_password") for user in ("platform", "reader")}
    mlflow = Mlflow(f"http://127.0.0.1:{PORTS['FEMS_MLFLOW_PORT']}", passwords)
    airflow = Mlflow(f"http://127.0.0.1:{PORTS['FEMS_AIRFLOW_PORT']}", {})

    def asked(path: str, body: object = None, user: str = "", door: Mlflow = mlflow) -> Callable[[], bool]:
        return lambda: door(path, body, user=user).status < 400

    search, create = f"{_MLFLOW}/experiments/search?max_results=9", f"{_MLFLOW}/experiments/create"
    yield Try("the reader reads MLflow", asked(search, user="reader"), should=True)
    yield Try("nobody reads MLflow", asked(search))
    yield Try("nobody makes an experiment", asked(create, {"name": "attack"}))
    alias = {"name": "fems-2160", "alias": "champion", "version": "1"}
    yield Try("the reader moves a champion", asked(f"{_MLFLOW}/registered-models/alias", alias, "reader"))
    yield Try("the platform makes an experiment", asked(create, {"name": "attack"}, "platform"), should=True)
    for place in ("file:///opt/fems/dags", "/opt/fems/dags", "s3://fems/processed"):
        body = {"name": f"attack {place}", "artifact_location": place}
        yield Try(f"MLflow keeps artifacts in {place}", asked(create, body, "platform"))
    yield Try("anybody asks Airflow's health", asked("api/v2/monitor/health", door=airflow), should=True)
    yield Try("nobody lists Dags", asked("api/v2/dags", door=airflow))
    yield Try(
        "nobody starts a Dag", asked("api/v2/dags/ingest/dagRuns", {"logical_date": None}, door=airflow)
    )


def _with_stolen_keys() -> Iterator[Try]:
    """Use a service's key of the object store for what is another's."""
    from minio import Minio
    from minio.error import S3Error

    def client(access_key: str, secret_key: str) -> "Minio":
        return Minio(f"127.0.0.1:{PORTS['FEMS_MINIO_PORT']}", access_key, secret_key, secure=False)

    def done(work: Callable[[], object]) -> bool:
        try:
            work()
        except S3Error as error:
            if error.code in ("AccessDenied", "AllAccessDisabled"):
                return False
            raise Failure(f"attacks: the object store answers {error.code}") from error
        return True

    def put(store: "Minio", key: str, bucket: str = "fems") -> Callable[[], bool]:
        return lambda: done(lambda: store.put_object(bucket, key, io.BytesIO(b"x"), 1))

    keys = json.loads(_secret("store_keys_all"))
    own = {role: client(key["access_key"], key["secret_key"]) for role, key in keys.items()}
    yield Try("the ingest's key publishes", put(own["ingest"], "processed/attack"), should=True)
    yield Try("the ingest's key writes raw files", put(own["ingest"], "raw/attack"))
    yield Try("the ingest's key writes models", put(own["ingest"], "models/attack"))
    yield Try("the landing's key publishes", put(own["landing"], "processed/attack"))
    yield Try("the pages' key publishes", put(own["pages"], "processed/attack"))
    yield Try("MLflow's key writes its bucket", put(own["mlflow"], "attack", "mlflow"), should=True)
    yield Try("MLflow's key writes the lake", put(own["mlflow"], "processed/attack"))
    yield Try("MLflow's key lists the lake", lambda: done(lambda: list(own["mlflow"].list_objects("fems"))))
    for role in keys.keys() - {"mlflow"}:
        yield Try(f"the key of {role} writes MLflow's bucket", put(own[role], "attack", "mlflow"))


def _from_inside(engine: Engine, services: dict[str, dict[str, Any]]) -> Iterator[Try]:
    """Be a service's process: become root, change the code, find a secret, open another's database."""
    secrets = [_secret(path.name) for path in _SECRETS.iterdir() if not path.name.endswith("_user")]
    secrets += [key["secret_key"] for key in json.loads(_secret("store_keys_all")).values()]

    def inside(container: str, command: str) -> Callable[[], bool]:
        words = [engine.name, "exec", container, "bash", "-ceu", command]
        return lambda: subprocess.run(words, capture_output=True, check=False, timeout=120).returncode == 0

    def told(container: str, what: str) -> Any:
        return json.loads(engine.run("inspect", "--format", f"{{{{json {what}}}}}", container))

    for name, spec in services.items():
        for container in engine.containers(name) if spec["restart"] != "no" else ():
            environment, ports = told(container, ".Config.Env"), told(container, ".NetworkSettings.Ports")
            shown = [line for line in environment if any(secret in line for secret in secrets)]
            yield Try(f"{name} shows a secret in its environment", lambda shown=shown: bool(shown))
            hosts = {place["HostIp"] for each in (ports or {}).values() for place in each or []}
            yield Try(f"{name} is published beyond loopback", lambda hosts=hosts: bool(hosts - {"127.0.0.1"}))
            if name == "minio":  # its image has no shell to be inside of
                continue
            yield Try(f"{name} has a shell", inside(container, "touch /tmp/attack"), should=True)
            yield Try(f"{name} runs as root", inside(container, "test $(id -u) = 0"))
            has = "grep '^CapEff:' /proc/1/status | grep -v ':[[:space:]]*0*$'"
            yield Try(f"{name} has a capability", inside(container, has))
            gains = "! grep -q '^NoNewPrivs:[[:space:]]*1' /proc/1/status"
            yield Try(f"{name} may gain rights", inside(container, gains))
            yield Try(
                f"{name} writes to its image", inside(container, "touch /usr/attack || touch /var/attack")
            )
            for place in _CODE if spec["image"].startswith("fems-forecast") else ():
                write = f"test -d /opt/fems/{place} && touch /opt/fems/{place}/attack.py"
                yield Try(f"{name} changes {place}/", inside(container, write))
    (api_server,) = engine.containers("api-server")
    for database in ("airflow", "mlflow", "mlflow_auth"):
        connect = (
            "import psycopg2, sys; url = open('/run/secrets/airflow_database_url').read().strip(); "
            "psycopg2.connect(url.replace('+psycopg2', '').rpartition('/')[0] + '/' + sys.argv[1])"
        )
        yield Try(
            f"Airflow's account opens the database {database}",
            inside(api_server, f'python -c "{connect}" {database}'),
            should=database == "airflow",
        )
