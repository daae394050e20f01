"""The page at `/`: what is served and how it fares, and a form to ask it."""
