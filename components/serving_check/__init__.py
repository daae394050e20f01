"""The rehearsal: the real server on the chosen model, asked real examples, before anybody else asks it."""
