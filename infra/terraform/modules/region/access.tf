# Who may do what, in one place; docs/terraform.md says why.  Each component has a service account of its own.
locals {
  components = {
    api         = "Takes requests, signs addresses of uploads, erases what customers ask it to"
    router      = "Turns uploads and batches into jobs, calls webhooks"
    worker-high = "Hears high jobs"
    worker-low  = "Hears low jobs"
    controller  = "Looks at queues, money and retention, and serves metrics"
    retention   = "Tells customers, deletes, archives, compares"
    dlq         = "People's tool for dead letters"
  }

  everybody = keys(local.components)
  # The controller changes nothing of a customer's.
  all_but_controller = [for name in local.everybody : name if name != "controller"]

  # A worker puts a message back that was delivered too often, hears again in the shadow on the low lane, and buries.
  lane_publishers = {
    high = ["api", "dlq", "router", "worker-high"]
    low  = ["api", "dlq", "router", "worker-high", "worker-low"]
    dead = ["worker-high", "worker-low"]
  }

  # Workers collect dead letters while they run, and so does the tool.
  lane_subscribers = {
    high = ["worker-high"]
    low  = ["worker-low"]
    dead = ["dlq", "worker-high", "worker-low"]
  }

  # Readiness, degradation, depth and `earmark status` ask whether the subscription is there; a worker asks for its
  # deadline.
  lane_viewers = {
    high = ["api", "controller", "dlq", "router", "worker-high", "worker-low"]
    low  = ["api", "controller", "dlq", "router", "worker-high", "worker-low"]
    dead = ["api", "controller", "dlq", "router", "worker-high", "worker-low"]
  }

  event_publishers = {
    results = ["dlq", "worker-high", "worker-low"]
    notices = ["retention"]
  }

  event_subscribers = {
    uploads = ["router"]
  }

  # The tool hears replays by itself when they are for another model, so it may what a worker may.
  bucket_access = {
    # The router dates uploads; the API takes, signs for and erases them.
    uploads = {
      date = ["router"]
      use  = ["api", "retention"]
      view = ["dlq", "worker-high", "worker-low"]
    }
    # A record that failed is replaced when the job is done after all.
    results = {
      use  = ["api", "dlq", "retention", "worker-high", "worker-low"]
      view = ["router"]
    }
    # Audio for one job goes when the job has ended.
    temporary = {
      use = ["api", "dlq", "retention", "router", "worker-high", "worker-low"]
    }
    archive = {
      use  = ["api", "retention"]
      view = ["dlq", "worker-high", "worker-low"]
    }
    # The controller remembers what it asked for, and says when the fallback is to help out.
    state = {
      use = local.everybody
    }
    # Links are added and read, never changed; nobody has a role that could.
    audit = {
      create = local.all_but_controller
      view   = local.all_but_controller
    }
  }

  secret_readers = {
    openai-api-key = ["dlq", "worker-high", "worker-low"]
    smtp-password  = ["retention"]
  }
}
