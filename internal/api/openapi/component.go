package openapi

// FaultNames are the names of the members that an error's envelope may have.
var FaultNames = []string{
	"badRequest", "unauthorized", "forbidden", "itemNotFound", "badMethod", "notAcceptable", "conflictingRequest", "overLimit",
	"failedDependency", "requestHeaderFieldsTooLarge", "computeFault", "notImplemented", "serviceUnavailable",
}

// components are what all operations share.
func components() schema {
	fault := schema{
		"type": "object", "description": "One member, whose name is the kind of the fault.",
		"minProperties": 1, "maxProperties": 1,
		"propertyNames": schema{"enum": FaultNames},
		"additionalProperties": object(schema{
			"code":       schema{"type": "integer", "description": "The status again."},
			"message":    schema{"type": "string", "description": "What is wrong, and where."},
			"retryAfter": schema{"type": "string", "description": "The Retry-After header again, in seconds."},
		}, []string{"code", "message"}),
	}
	return schema{
		"securitySchemes": schema{
			"token": schema{"type": "apiKey", "in": "header", "name": "X-Auth-Token", "description": "A token of Keystone, scoped to a project."},
		},
		"headers": schema{
			"RequestID": schema{
				"description": "Id of the request, under which the service's log has it.",
				"required":    true,
				"schema":      schema{"type": "string", "pattern": "^req-[0-9a-f-]{36}$"},
			},
		},
		"parameters": schema{
			"Version": schema{
				"name": "OpenStack-API-Version", "in": "header",
				"description": "The microversion, such as `data-protect 1.1` or `data-protect latest`; 1.0 without it.",
				"schema":      schema{"type": "string"},
			},
			"IdempotencyKey": schema{
				"name": "Idempotency-Key", "in": "header",
				"description": "The same key and body again gives the first answer again, and does nothing twice.",
				"schema":      schema{"type": "string", "minLength": 1, "maxLength": 255},
			},
		},
		"schemas": schema{"Fault": fault},
		"responses": schema{
			"Fault": schema{
				"description": "What is wrong, in the service's words.",
				"headers":     schema{requestIDHeader: ref("headers", "RequestID")},
				"content":     jsonContent(ref("schemas", "Fault")),
			},
		},
	}
}
