package policy

// Rules gives the default rules, in the order in which an operator reads them.
func Rules() []Rule {
	return []Rule{
		{"plan:create", "Create a plan.", Write},
		{"plan:update", "Change, start or suspend a plan.", Write},
		{"plan:delete", "Delete a plan.", Write},
		{"plan:get", "Show a plan.", Read},
		{"plan:get_all", "List plans.", Read},

		{"provider:get", "Show a provider.", Read},
		{"provider:get_all", "List providers.", Read},
		{"provider:checkpoint_create", "Create a checkpoint.", Write},
		{"provider:checkpoint_update", "Reset the state of a checkpoint.", Write},
		{"provider:checkpoint_delete", "Delete a checkpoint.", Write},
		{"provider:checkpoint_get", "Show a checkpoint.", Read},
		{"provider:checkpoint_get_all", "List checkpoints.", Read},

		{"protectable:get", "Show a protectable type.", Read},
		{"protectable:get_all", "List the protectable types.", Read},
		{"protectable:instance_get", "Show an instance of a protectable type.", Read},
		{"protectable:instance_get_all", "List the instances of a protectable type.", Read},

		{"restore:create", "Restore a checkpoint.", Write},
		{"restore:get", "Show a restore.", Read},
		{"restore:get_all", "List restores.", Read},

		{"application_credential:update", "Register an application credential.", Write},
		{"application_credential:delete", "Remove the registered application credential.", Write},
		{"application_credential:get", "Tell which application credential is registered.", Read},

		{"operation_log:get", "Show an operation log.", Read},
		{"operation_log:get_all", "List operation logs.", Read},
	}
}
