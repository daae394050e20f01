"""Physical removal of channels: a narrower network of the same wiring."""
