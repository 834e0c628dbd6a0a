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
  description = "Addresses of all regions together; each takes a sixteenth, half of it for pods."
  type        = string
  default     = "10.0.0.0/8"

  validation {
    condition     = tonumber(split("/", var.range)[1]) <= 12
    error_message = "The range must be a /12 or larger, or pods run out of addresses."
  }
}

variable "requests_per_minute" {
  description = "Requests of one address a minute above which the edge answers 429; the API's own limits, by key, come before that."
  type        = number
  default     = 6000
}
