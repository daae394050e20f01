locals {
  # One row a model: requests, failures, latency.
  rows = [
    for name in keys(var.models) : [
      { title = "${name}: requests a second", filter = local.requests[name], aligner = "ALIGN_RATE", reducer = "REDUCE_SUM" },
      { title = "${name}: failures a second", filter = local.failures[name], aligner = "ALIGN_RATE", reducer = "REDUCE_SUM" },
      { title = "${name}: latency, 95th percentile", filter = local.latencies[name].filter, aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_95" },
    ]
  ]
}

resource "google_monitoring_dashboard" "models" {
  count = length(var.models) > 0 ? 1 : 0

  project = var.project
  dashboard_json = jsonencode({
    displayName = "${var.name}: models"
    mosaicLayout = {
      columns = 48
      tiles = flatten([
        for place, row in local.rows : [
          for column, chart in row : {
            xPos = column * 16, yPos = place * 12, width = 16, height = 12
            widget = {
              title = chart.title
              xyChart = {
                dataSets = [{
                  plotType = "LINE"
                  timeSeriesQuery = {
                    timeSeriesFilter = {
                      filter = chart.filter
                      aggregation = {
                        alignmentPeriod    = "60s"
                        perSeriesAligner   = chart.aligner
                        crossSeriesReducer = chart.reducer
                      }
                    }
                  }
                }]
              }
            }
          }
        ]
      ])
    }
  })
}
