"""One server of several processes: a supervisor that decides and hands out clients, and workers that answer them."""
