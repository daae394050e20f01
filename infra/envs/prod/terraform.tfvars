project = "roadworthy-prod"
release = "v0.1.0"
emails  = { oncall = "oncall@example.com" }
