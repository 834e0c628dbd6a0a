variable "project_id" {
  description = "Project that the network is made in."
  type        = string
}

variable "name" {
  description = "Name of the network."
  type        = string
  default     = "earmark"
}

variable "regions" {
  description = "What makes each region's addresses its own: prefix, the first word of names; number, 0 to 15, never to be changed; host, what its API is called, empty = nothing yet."
  type = map(object({
    prefix = string
    number = number
    host   = optional(string, "")
  }))

  validation {
    condition     = length(distinct([for region in var.regions : region.number])) == length(var.regions)
    error_message = "Each region needs a number of its own: its addresses come from it."
  }

  validation {
    condition     = alltrue([for region in var.regions : region.number >= 0 && region.number <= 15])
    error_message = "Regions are numbered 0 to 15."
  }
}

variable "range" {
  description = "Addresses of all regions together, a private /8 to /12 of IPv4; each takes a sixteenth: half of it for pods, a /20 for machines, a /20 for services.  Cannot be changed later."
  type        = string
  default     = "10.0.0.0/10"

  validation {
    condition     = can(regex("^(10\\..*/(8|9|10|11|12)|172\\.16\\.0\\.0/12|100\\.(64|80|96|112)\\.0\\.0/1[0-2])$", var.range)) && try(cidrsubnet(var.range, 0, 0) == var.range, false)
    error_message = "The range is a private network of IPv4 from /8 to /12, in 10.0.0.0/8, 100.64.0.0/10 or 172.16.0.0/12, as 10.64.0.0/10; in a smaller one pods run out of addresses, and a public one takes those of others."
  }
}

variable "requests_per_minute" {
  description = "Requests of one address a minute above which the edge answers 429; the API's own limits are by key, and lower."
  type        = number
  default     = 6000
}
