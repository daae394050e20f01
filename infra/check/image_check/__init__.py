"""Follows a Dockerfile without Docker: every COPY and RUN of a target, in fresh roots of the same Debian release."""
