package store_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// seedTables are the tables of the design documents (api-service.rst and
// checkpoint-verify-api.rst) with their columns. services.binary is binary_name:
// MariaDB keeps the word for itself.
var seedTables = map[string]string{
	"plans":                "id name provider_id project_id status created_at updated_at deleted_at deleted",
	"resources":            "id plan_id resource_id resource_type created_at updated_at deleted_at deleted",
	"restores":             "id project_id provider_id checkpoint_id restore_target parameters status created_at updated_at deleted_at deleted",
	"triggers":             "id name project_id type properties created_at updated_at deleted_at deleted",
	"scheduled_operations": "id name operation_type project_id trigger_id operation_definition created_at updated_at deleted_at deleted",
	"services": "id host binary_name topic report_count disabled disabled_reason modified_at rpc_current_version " +
		"rpc_available_version version created_at updated_at deleted_at deleted",
	"verifications": "id project_id provider_id checkpoint_id status parameters resources_status resources_reason created_at updated_at deleted_at",
}

func TestTablesHaveTheColumnsOfTheDesign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "karbor.db")
	openFile(t, path)
	db := raw(t, path)
	for table, columns := range seedTables {
		have := strings.Fields(lines(t, db, "SELECT name FROM pragma_table_info('"+table+"')", nil, 0))
		for column := range strings.FieldsSeq(columns) {
			if !slices.Contains(have, column) {
				t.Errorf("the table %s has no column %s", table, column)
			}
		}
	}
}
