package policy

import "slices"

// The paths of the API that several rules guard, below /v1/{project_id}.
const (
	checkpointsPath = "/providers/{provider_id}/checkpoints"
	checkpointPath  = checkpointsPath + "/{checkpoint_id}"
)

// defaults gives the rules that guard operations, by resource.
func defaults() []Rule {
	return slices.Concat(protectionRules(), operationRules(), adminRules())
}

// protectionRules guard what is protected, and what comes of it.
func protectionRules() []Rule {
	return []Rule{
		newRule("plan:create", "Create a plan.", Write, "POST /plans"),
		newRule("plan:update", "Change, start or suspend a plan.", Write, "PUT /plans/{id}"),
		newRule("plan:delete", "Delete a plan.", Write, "DELETE /plans/{id}"),
		newRule("plan:retention", "Apply rules of retention to a plan's checkpoints, or see what they would do.", Write, "POST /plans/{id}/retention"),
		newRule("plan:get", "Show a plan.", Read, "GET /plans/{id}"),
		newRule("plan:get_all", "List plans.", Read, "GET /plans"),

		newRule("provider:get", "Show a provider.", Read, "GET /providers/{id}"),
		newRule("provider:get_all", "List providers.", Read, "GET /providers"),
		newRule("provider:checkpoint_create", "Create a checkpoint.", Write, "POST "+checkpointsPath),
		newRule("provider:checkpoint_update", "Reset the state of a checkpoint.", Write, "PUT "+checkpointPath),
		newRule("provider:checkpoint_delete", "Delete a checkpoint.", Write, "DELETE "+checkpointPath),
		newRule("provider:checkpoint_get", "Show a checkpoint.", Read, "GET "+checkpointPath),
		newRule("provider:checkpoint_get_all", "List checkpoints.", Read, "GET "+checkpointsPath),
		newRule("provider:checkpoint_force_delete", "Delete a checkpoint by force: the newest verified one of a resource, too.", Manage,
			"POST "+checkpointPath+"/force_delete"),
		newRule("provider:checkpoint_hold", "Hold a checkpoint, so that nothing deletes it, or let it go.", Manage,
			"PUT "+checkpointPath+"/hold", "DELETE "+checkpointPath+"/hold"),
		newRule("provider:checkpoint_override_retention", "Set how long one checkpoint is kept, against its schedule.", Manage,
			"PUT "+checkpointPath+"/expiry"),

		newRule("protectable:get", "Show a protectable type.", Read, "GET /protectables/{type}"),
		newRule("protectable:get_all", "List the protectable types.", Read, "GET /protectables"),
		newRule("protectable:instance_get", "Show an instance of a protectable type.", Read,
			"GET /protectables/{type}/instances/{id}").formerly("protectable:get_instance"),
		newRule("protectable:instance_get_all", "List the instances of a protectable type.", Read,
			"GET /protectables/{type}/instances").formerly("protectable:get_instances"),

		newRule("compliance:get", "Report whether a project's resources are protected as was promised.", Read, "GET /compliance"),

		newRule("restore:create", "Restore a checkpoint.", Write, "POST /restores"),
		newRule("restore:get", "Show a restore.", Read, "GET /restores/{id}"),
		newRule("restore:get_all", "List restores.", Read, "GET /restores"),

		newRule("verification:create", "Verify a checkpoint.", Write, "POST /verifications"),
		newRule("verification:get", "Show a verification.", Read, "GET /verifications/{id}"),
		newRule("verification:get_all", "List verifications.", Read, "GET /verifications"),
		newRule("drill:create", "Drill a checkpoint: restore it for a while, and look.", Write, "POST /drills"),
		newRule("drill:get", "Show a drill and its record.", Read, "GET /drills/{id}", "GET /drills/{id}/evidence"),
		newRule("drill:get_all", "List drills.", Read, "GET /drills"),
		newRule("drill:delete", "Delete a drill with its record.", Manage, "DELETE /drills/{id}"),
		newRule("drill:get_keys", "List the keys that records of drills are checked with.", Read, "GET /evidence_keys"),

		newRule("copy:create", "Copy the checkpoints of a plan.", Write, "POST "+checkpointsPath+"/action"),
		newRule("copy:get", "Show a request for copies.", Read, "GET /providers/{provider_id}/copies/{id}"),
		newRule("copy:get_all", "List requests for copies.", Read, "GET /providers/{provider_id}/copies"),
	}
}

// operationRules guard what runs by itself, and what tells of it.
func operationRules() []Rule {
	return []Rule{
		newRule("mapping_profile:create", "Keep a mapping for restores.", Write, "POST /mapping_profiles"),
		newRule("mapping_profile:delete", "Delete a mapping profile.", Write, "DELETE /mapping_profiles/{id}"),
		newRule("mapping_profile:get", "Show a mapping profile.", Read, "GET /mapping_profiles/{id}"),
		newRule("mapping_profile:get_all", "List mapping profiles.", Read, "GET /mapping_profiles"),
		newRule("temporary_resource:get_all", "List what operations hold of a project's quota in the cloud for a while.", Read, "GET /temporary_resources"),
		newRule("temporary_resource:get_usage", "Sum up what operations hold of a project's quota in the cloud.", Read, "GET /temporary_resources/usage"),
		newRule("trigger:create", "Create a trigger.", Write, "POST /triggers"),
		newRule("trigger:update", "Change a trigger.", Write, "PUT /triggers/{id}"),
		newRule("trigger:delete", "Delete a trigger.", Write, "DELETE /triggers/{id}"),
		newRule("trigger:check", "See when a trigger would fire, without making it.", Write, "POST /triggers/check"),
		newRule("trigger:get", "Show a trigger.", Read, "GET /triggers/{id}"),
		newRule("trigger:get_all", "List triggers.", Read, "GET /triggers").formerly("trigger:list"),

		newRule("scheduled_operation:create", "Create a scheduled operation.", Write, "POST /scheduled_operations"),
		newRule("scheduled_operation:update", "Change, pause, resume or run a scheduled operation, or skip its next run.", Write,
			"PUT /scheduled_operations/{id}", "POST /scheduled_operations/{id}/action"),
		newRule("scheduled_operation:delete", "Delete a scheduled operation.", Write, "DELETE /scheduled_operations/{id}"),
		newRule("scheduled_operation:get", "Show a scheduled operation.", Read,
			"GET /scheduled_operations/{id}", "GET /scheduled_operations/{id}/runs"),
		newRule("scheduled_operation:get_all", "List scheduled operations.", Read,
			"GET /scheduled_operations").formerly("scheduled_operation:list"),

		newRule("operation:get", "Show an operation, and its events.", Read, "GET /operations/{id}", "GET /operations/{id}/events"),
		newRule("operation:cancel", "Cancel an operation.", Write, "POST /operations/{id}/action"),

		newRule("operation_log:get", "Show an operation log.", Read, "GET /operation_logs/{id}"),
		newRule("operation_log:get_all", "List operation logs.", Read, "GET /operation_logs").formerly("operation_log:list"),

		newRule("application_credential:update", "Register an application credential.", Write, "PUT /application_credential"),
		newRule("application_credential:delete", "Remove the registered application credential.", Write, "DELETE /application_credential"),
		newRule("application_credential:get", "Tell which application credential is registered.", Read, "GET /application_credential"),
	}
}

// adminRules guard what an administrator sets for projects and processes.
func adminRules() []Rule {
	return []Rule{
		newRule("quota:get", "Show the quotas of a project.", Read, "GET /quotas/{id}").formerly("quota:show"),
		newRule("quota:get_default", "Show the default quotas.", Read, "GET /quotas/{id}/defaults"),
		newRule("quota:get_detail", "Show the quotas of a project, and what is in use.", Read, "GET /quotas/{id}/detail"),
		newRule("quota:update", "Change the quotas of a project.", AdminOnly, "PUT /quotas/{id}"),
		newRule("quota:delete", "Bring the quotas of a project back to the defaults.", AdminOnly, "DELETE /quotas/{id}"),

		newRule("quota_class:get", "Show a quota class.", Read, "GET /quota_classes/{id}").formerly("quota_class:show"),
		newRule("quota_class:update", "Change a quota class.", AdminOnly, "PUT /quota_classes/{id}"),

		newRule("service:get_all", "List the processes of the service.", AdminOnly, "GET /os-services").formerly("service:list"),
		newRule("service:update", "Enable or disable a process of the service.", AdminOnly, "PUT /os-services/{id}"),
	}
}
