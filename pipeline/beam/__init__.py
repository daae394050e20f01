"""Beam on this machine: its runner, and the processes that its data nodes work in."""
