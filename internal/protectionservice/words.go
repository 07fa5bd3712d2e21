package protectionservice

import (
	"github.com/karbor/karbor/internal/protectionservice/admission"
	"github.com/karbor/karbor/internal/protectionservice/copies"
	"github.com/karbor/karbor/internal/protectionservice/deletion"
	"github.com/karbor/karbor/internal/protectionservice/drills"
	"github.com/karbor/karbor/internal/protectionservice/protect"
	"github.com/karbor/karbor/internal/protectionservice/restore"
	"github.com/karbor/karbor/internal/protectionservice/verify"
)

// What the service is asked with, and what it answers with, as its rooms define them.
type (
	// Caller is who asks.
	Caller = admission.Caller
	// ScheduledRun is the run of a schedule that a caller may ask for.
	ScheduledRun = admission.ScheduledRun

	// ProtectRequest asks for a checkpoint.
	ProtectRequest = protect.Request
	// RestoreRequest asks to bring back what one holds.
	RestoreRequest = restore.Request
	// VerifyRequest asks to check what one holds.
	VerifyRequest = verify.Request
	// DrillRequest asks for a drill of one.
	DrillRequest = drills.Request
	// CopyRequest asks for copies of those of a plan.
	CopyRequest = copies.Request

	// RetentionRequest asks to apply rules to the checkpoints of a plan.
	RetentionRequest = deletion.RetentionRequest
	// RetentionResult is what they do to the plan.
	RetentionResult = deletion.RetentionResult
	// RetentionVerdict is what becomes of a checkpoint.
	RetentionVerdict = deletion.RetentionVerdict

	// Drills says how restore drills run. The zero value allows none.
	Drills = drills.Config
)
