#!/usr/bin/env bash
# The user that the images run as: a number above those of a host's own users, no shell, no home.
set -euo pipefail

groupadd --gid 10001 roadworthy
useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin roadworthy
