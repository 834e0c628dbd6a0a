mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id      = "acme-audio"
  tickets         = ["ticket@example.com"]
  pages           = ["page@example.com"]
  documents_url   = "https://git.example.com/earmark/blob/main"
  image           = "us-central1-docker.pkg.dev/acme-audio/earmark/earmark@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  billing_account = "000000-000000-000000"
}

run "plans" {
  command = plan

  assert {
    condition     = alltrue([for region in output.regions : length(region.buckets) == 6])
    error_message = "A region lacks a bucket."
  }
}

run "somebody_is_told" {
  command = plan

  variables {
    tickets = []
  }

  expect_failures = [var.tickets]
}

run "somebody_is_woken" {
  command = plan

  variables {
    pages = []
  }

  expect_failures = [var.pages]
}
