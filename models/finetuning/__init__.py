"""From examples and a backbone to a trained, exported classifier."""
