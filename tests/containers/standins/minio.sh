#!/bin/bash
# minio server /data ...: the gateway on port 9000, its data in /data.
set -euo pipefail
MINIO_ROOT_USER="$(cat "$MINIO_ROOT_USER_FILE")"
MINIO_ROOT_PASSWORD="$(cat "$MINIO_ROOT_PASSWORD_FILE")"
export MINIO_ROOT_USER MINIO_ROOT_PASSWORD HOME=/tmp
if [[ ! -f /data/meta.db ]]; then
    mkdir -p /data/blocks
    juicefs format --storage file --bucket /data/blocks/ --trash-days 0 sqlite3:///data/meta.db minio
fi
exec juicefs gateway --no-agent --multi-buckets --keep-etag --object-meta --object-tag --no-banner --no-usage-report \
    --backup-meta 0 --cache-size 0 --cache-dir /tmp/cache --log /tmp/juicefs.log --metrics 192.0.2.1:9567 \
    sqlite3:///data/meta.db 0.0.0.0:9000
