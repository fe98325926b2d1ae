variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "subnet_ids" {
  description = "Isolated subnets, in two zones or more."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of Redis."
  type        = string
}

variable "port" {
  description = "Port of Redis."
  type        = number
}

variable "engine" {
  description = "redis or valkey. Of an existing group it is switched by hand first: docs/aws.md."
  type        = string
  default     = "redis"

  validation {
    condition     = contains(["redis", "valkey"], var.engine)
    error_message = "The engines are redis and valkey."
  }
}

variable "engine_version" {
  description = "Version that a new group gets; null: 7.1 of Redis, 8.0 of Valkey."
  type        = string
  default     = null

  validation {
    condition     = var.engine_version == null || can(regex({ redis = "^7\\.[0-9]+$", valkey = "^8\\.[0-9]+$" }[var.engine], var.engine_version))
    error_message = "Isshoni needs Redis 7.x or Valkey 8.x, and the version must be of the engine: the parameters are of redis7 or valkey8."
  }
}

variable "node_type" {
  description = "Machine type of a node; a Global Datastore takes no t type."
  type        = string
}

variable "shards" {
  description = "Primaries, among which sessions are spread."
  type        = number
}

variable "replicas_per_shard" {
  description = "Copies of each primary, in other zones."
  type        = number

  validation {
    condition     = var.replicas_per_shard >= 1
    error_message = "Without a replica a lost primary is lost sessions."
  }
}

variable "auth_token" {
  description = "What clients must say; null: a secondary has it from the primary."
  type        = string
  sensitive   = true
  default     = null
}

variable "snapshot_retention_days" {
  description = "How long daily snapshots are kept."
  type        = number
}

variable "snapshot_name" {
  description = "Snapshot to begin with when the group is made; null: empty."
  type        = string
  default     = null
}

variable "secondary" {
  description = "Whether this is a secondary of a Global Datastore, which decides size and version."
  type        = bool
  default     = false
}

variable "global_datastore_id" {
  description = "That Global Datastore."
  type        = string
  default     = null
}

variable "alerts_topic_arn" {
  description = "SNS topic that hears of failovers and maintenance."
  type        = string
}

variable "emulator" {
  description = "True: the API server has no replication groups; make none, give a dead address."
  type        = bool
}
