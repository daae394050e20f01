# Whatever is not ours or Google's own does not start, whoever asks for it. Of ours one account pushes, and no tag moves.
resource "google_binary_authorization_policy" "this" {
  count = var.images == null ? 0 : 1

  project                       = var.project
  description                   = "What ${var.name} runs."
  global_policy_evaluation_mode = "ENABLE"

  default_admission_rule {
    evaluation_mode  = "ALWAYS_DENY"
    enforcement_mode = "ENFORCED_BLOCK_AND_AUDIT_LOG"
  }

  dynamic "admission_whitelist_patterns" {
    for_each = var.images

    content {
      name_pattern = admission_whitelist_patterns.value
    }
  }
}
