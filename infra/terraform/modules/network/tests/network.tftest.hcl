mock_provider "google" {}

variables {
  project_id = "acme-audio"
  regions = {
    us-central1  = { prefix = "earmark", number = 0 }
    europe-west4 = { prefix = "earmark-eu", number = 15, host = "eu.api.example.com" }
  }
}

run "addresses_of_regions" {
  command = plan

  assert {
    condition     = google_compute_subnetwork.main["us-central1"].ip_cidr_range == "10.2.0.0/20" && google_compute_subnetwork.main["us-central1"].secondary_ip_range[0].ip_cidr_range == "10.0.0.0/15" && google_compute_subnetwork.main["us-central1"].secondary_ip_range[1].ip_cidr_range == "10.2.16.0/20"
    error_message = "The first region's addresses moved: its subnetwork would be made anew, with all that is in it."
  }

  assert {
    condition     = google_compute_subnetwork.main["europe-west4"].ip_cidr_range == "10.62.0.0/20"
    error_message = "The last region's addresses are not in its sixteenth."
  }
}

run "the_edge_of_each_region" {
  command = plan

  assert {
    condition     = google_compute_global_address.api["us-central1"].name == "earmark-api" && google_compute_global_address.api["europe-west4"].name == "earmark-eu-api"
    error_message = "The Gateway looks for PREFIX-api."
  }

  assert {
    condition     = keys(google_certificate_manager_certificate.api) == ["europe-west4"]
    error_message = "There is a certificate where there is no host, or none where there is one."
  }
}

run "two_regions_of_one_number" {
  command = plan

  variables {
    regions = {
      us-central1  = { prefix = "earmark", number = 0 }
      europe-west4 = { prefix = "earmark-eu", number = 0 }
    }
  }

  expect_failures = [var.regions]
}

run "a_range_that_is_too_small" {
  command = plan

  variables {
    range = "10.0.0.0/16"
  }

  expect_failures = [var.range]
}

run "a_range_of_ipv6" {
  command = plan

  variables {
    range = "fd00::/12"
  }

  expect_failures = [var.range]
}

run "a_range_of_others" {
  command = plan

  variables {
    range = "8.0.0.0/8"
  }

  expect_failures = [var.range]
}
