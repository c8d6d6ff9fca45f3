#!/bin/bash
# What the image postgres does at its start, as far as docker-compose.yaml counts on it.
set -euo pipefail
[[ "$1" == postgres ]] || exec "$@"
data=/var/lib/postgresql/18/docker
if [[ ! -f "$data/PG_VERSION" ]]; then
    mkdir -p "$data"
    initdb -D "$data" -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust \
        --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
fi
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
