#!/bin/bash
# mc ready local
exec python -c "import urllib.request as u; u.urlopen('http://localhost:9000/minio/health/ready', timeout=4)"
