project = "roadworthy-dev"
release = "0.1.0"
emails  = { oncall = "oncall@example.com" }
