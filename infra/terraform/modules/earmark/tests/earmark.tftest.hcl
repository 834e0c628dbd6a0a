mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project_id   = "acme-audio"
  environment  = "test"
  rules_folder = "./tests/rules"
  image        = "europe-west4-docker.pkg.dev/acme-audio/earmark/earmark@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

  regions = {
    us-central1 = { prefix = "earmark", number = 0 }
  }

  pools = {
    general = { machine = "e2-standard-4", min = 1, max = 3, role = "general" }
    low     = { machine = "g2-standard-8", gpu = "nvidia-l4", spot = true, max = 2, role = "worker-low" }
  }
}

run "one_region" {
  command = plan

  assert {
    condition     = output.regions["us-central1"].settings["EARMARK_GCP_PREFIX"] == "earmark" && output.regions["us-central1"].settings["EARMARK_GCP_LOCATION"] == "us-central1"
    error_message = "The settings of the region are not those that its names were made of."
  }

  assert {
    condition     = output.regions["us-central1"].settings["EARMARK_GCP_PUBSUB_ENDPOINT"] == "us-central1-pubsub.googleapis.com:443"
    error_message = "Topics refuse what arrives in another region."
  }
}

run "a_second_region_is_one_line" {
  command = plan

  variables {
    regions = {
      us-central1  = { prefix = "earmark", number = 0 }
      europe-west4 = { prefix = "earmark-eu", number = 1 }
    }
  }

  assert {
    condition     = output.regions["europe-west4"].buckets["uploads"] == "acme-audio-earmark-eu-uploads" && output.regions["us-central1"].buckets["uploads"] == "acme-audio-earmark-uploads"
    error_message = "The regions share a bucket."
  }

  assert {
    condition     = output.regions["europe-west4"].dataset == "earmark_eu"
    error_message = "The regions share a dataset."
  }
}

run "two_regions_of_one_prefix" {
  command = plan

  variables {
    regions = {
      us-central1  = { prefix = "earmark", number = 0 }
      europe-west4 = { prefix = "earmark", number = 1 }
    }
  }

  expect_failures = [var.regions]
}

run "an_image_by_its_tag" {
  command = plan

  variables {
    image = "europe-west4-docker.pkg.dev/acme-audio/earmark/earmark:latest"
  }

  expect_failures = [var.image]
}

run "reports_without_what_makes_them" {
  command = plan

  variables {
    image             = ""
    inventory_reports = true
  }

  expect_failures = [var.inventory_reports]
}
