project = "roadworthy-dev"
release = "v0.1.0"
emails  = { oncall = "oncall@example.com" }
