"""From one YAML file to a running pipeline: config, build, runners and the command line."""
