# One image for Airflow, MLflow and the fems command: the same pinned packages that the tests ran on.
# The digest is the tag's index of all architectures. Where no registry is reached, `make containers` gives another base.
ARG BASE=python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
FROM ${BASE}

# Logs as they come.
ENV PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    PYTHONPATH=/opt/fems/include

WORKDIR /opt/fems
COPY requirements-uv.txt requirements.txt ./
# Compiled here: what runs in a container may not write beside the packages, and would compile them at each start.
RUN pip install --no-cache-dir --require-hashes --requirement requirements-uv.txt \
    && uv pip install --system --no-cache --compile-bytecode --require-hashes --requirement requirements.txt
# Ends the build where a package needs a library that this image lacks.
COPY include/embedded/natives.py ./
RUN python natives.py

# Without them named volumes would be made as root's, and Airflow and Valkey could not write.
# Over the logs a worker has a tmpfs: that is root's, and takes this folder's mode whatever the compose file asks for.
RUN useradd --uid 50000 --create-home fems \
    && install --directory --owner fems --group fems /opt/airflow /opt/valkey \
    && install --directory --owner fems --group fems --mode 1777 /opt/airflow/logs

# The package is on the path and not installed: its command is made here.
RUN printf '#!/usr/bin/env python\nfrom fems.cli.main import app\napp()\n' > /usr/local/bin/fems && chmod 755 /usr/local/bin/fems

COPY include ./include
COPY expectations ./expectations
COPY dags ./dags
COPY plugins ./plugins
COPY kubernetes ./kubernetes
RUN python -m compileall -q include plugins

USER 50000
CMD ["airflow", "version"]
