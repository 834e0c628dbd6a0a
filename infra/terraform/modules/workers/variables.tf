variable "project_id" {
  description = "Project that the cluster is made in."
  type        = string
}

variable "prefix" {
  description = "Name of the cluster."
  type        = string
}

variable "region" {
  description = "Region of the cluster, whose control plane runs in three zones of it."
  type        = string
}

variable "labels" {
  description = "Labels of the cluster and its machines."
  type        = map(string)
  default     = {}
}

variable "network" {
  description = "Full name of the network."
  type        = string
}

variable "subnetwork" {
  description = "Full name of the region's subnetwork, with the ranges pods and services."
  type        = string
}

variable "cluster_key" {
  description = "Key that Kubernetes' secrets are encrypted with."
  type        = string
}

variable "disk_key" {
  description = "Key that the machines' disks are encrypted with."
  type        = string
}

variable "pools" {
  description = <<-EOT
    Machines, by the pool's name.  machine is the Compute Engine type, gpu what it carries (empty = none), spot whether
    Google may take it away, min and max how many machines there are in all zones together, zones the letters of those in which the region has such machines (empty = GKE
    chooses), role the label earmark/role by which pods choose: general, worker-high, worker-low, vllm.  Pools with a GPU
    take only pods that ask for one; spot pools only those that tolerate cloud.google.com/gke-spot.
  EOT
  type = map(object({
    machine   = string
    gpu       = optional(string, "")
    gpus      = optional(number, 1)
    spot      = optional(bool, false)
    min       = optional(number, 0)
    max       = number
    zones     = optional(list(string), [])
    disk_gb   = optional(number, 200)
    disk_type = optional(string, "pd-balanced")
    role      = string
  }))

  validation {
    condition     = alltrue([for pool in var.pools : pool.max >= pool.min])
    error_message = "A pool's max is at least its min."
  }

  validation {
    condition     = anytrue([for pool in var.pools : pool.gpu == "" && pool.min >= 1 && !pool.spot])
    error_message = "One pool without GPUs must always be there, for API, router, controller and Kubernetes itself."
  }
}

variable "registry" {
  description = "Name of the repository that images are pulled from; in the same region."
  type        = string
}

variable "disposable" {
  description = "Whether `terraform destroy` may take the cluster."
  type        = bool
  default     = false
}
