"""Runs a compiled pipeline on this machine: every container's command line as a process, as a cloud would start it."""
