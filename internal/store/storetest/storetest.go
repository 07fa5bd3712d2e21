// Package storetest is the suite that a store passes on every database.
package storetest

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
)

// Run checks that stores keep what the package store promises. open gives an
// empty one, which it closes when the test ends.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, *store.Store)
	}{
		{"a plan comes back as it was kept", testPlanRoundTrip},
		{"a plan is changed whole or not at all", testPlanUpdate},
		{"a deleted plan is no longer seen", testPlanDelete},
		{"plans are filtered", testPlanFilters},
		{"plans made at once never exceed the quota", testPlanQuota},
		{"pages never skip nor repeat", testPagesComplete},
		{"a page goes on behind a deleted marker", testDeletedMarker},
		{"a bad page is refused", testBadPages},
		{"checkpoints are filtered", testCheckpointFilters},
		{"the catalogue follows the bank", testPutCheckpoint},
		{"protect goes from acceptance to its end", testProtect},
		{"delete goes from acceptance to its end", testDelete},
		{"an operation is accepted and journalled at once", testJoint},
		{"restore goes from acceptance to its end", testRestore},
		{"operations that disturb each other are refused", testConflicts},
		{"of many deletions at once one is accepted", testAcceptRace},
		{"a refused acceptance leaves nothing behind", testAcceptAllOrNothing},
		{"the checkpoint quota holds", testCheckpointQuota},
		{"limits of a project go over the default class's, and those over the configured ones", testLimits},
		{"so do those of checkpoints, as one is accepted", testLimitsOfCheckpoints},
		{"checkpoints made at once never exceed a quota", testQuotaRace},
		{"a checkpoint counts until its delete has ended", testQuotaOfDelete},
		{"gigabytes are set aside, and then settled", testGigabytes},
		{"usages are always what the rows say", testUsagesProperty},
		{"verifications are filtered", testVerifications},
		{"the end of an operation ends its verification", testEndOfAVerification},
		{"what is set of a checkpoint's keeping stays until it is gone", testKeepings},
		{"the newest verified checkpoint of a resource is known", testNewestVerified},
		{"drills go from acceptance to their ends, and are filtered", testDrills},
		{"no more drills run at a time than the limit says", testDrillLimit},
		{"what happens in a drill is kept until it is over", testDrillEvents},
		{"the last drill of each checkpoint is the newest that is over", testLastDrills},
		{"which records of drills lie in their banks is known", testDrillProofs},
		{"the record of a drill may be put into its bank unless that, or its checkpoint, is deleted", testProofsThatMayBeBegun},
		{"the record of a deleted drill is remembered as long as it may lie in its bank", testDeletedProofs},
		{"no record of a drill lies in a bank from which its checkpoint was deleted", testProofsOfADeletedCheckpoint},
		{"a drill whose record was found is among the others, once", testAdoptDrill},
		{"checkpoints expire in the order of their dates", testExpired},
		{"available checkpoints of a project are told with what they hold and what was verified", testCovering},
		{"held checkpoints are told with the locks of their banks", testHeldCheckpoints},
		{"runs that were left out, dropped or failed are told", testUnmadeRuns},
		{"no delete behind the gate takes the newest verified checkpoint of a resource", testGateKeepsNewestVerified},
		{"copies are filtered", testCopies},
		{"copies go from acceptance to their ends", testCopied},
		{"what can not be copied is refused", testCopiedRefusals},
		{"of many requests at once each checkpoint is copied once", testCopiedRace},
		{"a copy stands in for a checkpoint", testStandIn},
		{"a copy stands in for some data of a checkpoint", testPartlyStandIn},
		{"the catalogue of each bank is filled by itself", testTargetCatalogues},
		{"the outbox keeps its order", testOutbox},
		{"operations get places by project and provider, the oldest first", testPlaces},
		{"what ends something and what is cancelled waits for no place", testExempt},
		{"resource records are changed one by one", testResources},
		{"scratch records live until the end", testScratch},
		{"what was begun, or handed over anew, may have begun", testBegun},
		{"of a step's attempts the newest alone writes", testClaims},
		{"of a copy's lanes the newest alone writes", testClaimedCopies},
		{"the turn of an operation is one holder's at a time", testTurns},
		{"of many that want a turn at once one gets it", testTurnRace},
		{"a turn ends with its attempt, its operation or its time", testTurnEnds},
		{"documents come back byte by byte", testDocuments},
		{"operation logs are filtered", testOperationLogFilters},
		{"a user has one application credential in a project", testApplicationCredential},
		{"a trigger comes back as it was kept, changed and deleted", testTriggerRoundTrip},
		{"triggers are filtered", testTriggerFilters},
		{"mapping profiles are kept, listed and removed by project", testMappingProfiles},
		{"a scheduled operation needs a plan and a trigger of its project", testScheduledOperation},
		{"what a scheduled operation uses can't be deleted", testScheduledUse},
		{"what a scheduled operation uses can't be deleted at that moment", testScheduleRace},
		{"a time that has come becomes a run once", testFire},
		{"several nodes make and claim each run once", testFireOnce},
		{"times that nobody saw are dropped, and the last one is caught up", testMissedTimes},
		{"a long absence costs little", testLongAbsence},
		{"a run goes from its time to its end", testRunLife},
		{"a run fails as its operation does", testFailedRun},
		{"a run of several operations does one after another", testRunOperations},
		{"checkpoints to verify are chosen in their order", testToVerify},
		{"checkpoints to drill are chosen in their order", testToDrill},
		{"a run is taken over, and its first node does nothing more", testLostClaim},
		{"a node that starts anew goes on with its runs", testReleased},
		{"a run waits for an earlier one, or is left out", testOverlap},
		{"projects begin their runs by turns", testFairTurns},
		{"a schedule is paused, disabled, skipped and changed", testScheduleChanges},
		{"a run is spread, and may be asked for", testJitterAndRunNow},
		{"delegations are tried, replaced and given back", testDelegations},
		{"a plan or trigger that another user changes ends what was lent", testDistrust},
		{"what works on checkpoints goes on whoever changes their plan", testPlanOfOthersCheckpoints},
		{"a delegation is not given back under what acts by it", testReturnWaits},
		{"a skipped time hides none of another trigger", testSkippedAndRetimed},
		{"the database tells the time", testServerTime},
		{"the journal tells what waits by whose it is", testShares},
		{"the lease of the journal goes by the clock of the database", testLease},
		{"services report, and are disabled", testServices},
		{"services that report at once are listed once", testServicesRace},
		{"a request with a key is kept once, for a day", testReplays},
		{"what a request keeps is marked with it", testReplayMarks},
		{"delegations are kept until they are revoked", testRevocations},
		{"what is left in the cloud stays with what can remove it", testLeftovers},
		{"what is left in the cloud is one try's for as long as that lasts", testLeftoverClaims},
		{"what one project leaves hides nothing of another's", testLeftoverTurns},
		{"what operations hold for a while is told until it is gone", testHoldings},
		{"what a drill makes is told from before it is there until it is gone", testDrillHoldings},
		{"what is being overwritten is left alone until that is over", testInPlace},
		{"the ledger of what is left is listed, hastened and forgotten", testLedger},
		{"what is asked of an operation is kept until it is answered", testRequests},
		{"an operation is found by what its tenant has in hand", testFindOperation},
		{"a cancelled context leaves the store usable", testCancelledContext},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// start dates the first row; each row is a second younger than the one before.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var made atomic.Int64

func nextDate() time.Time { return start.Add(time.Duration(made.Add(1)) * time.Second) }

// NewPlan makes a plan.
func NewPlan(projectID string) karbor.Plan {
	now := nextDate()
	return karbor.Plan{
		ID: karbor.NewID(), ProjectID: projectID, Name: "shop", Description: "the web shop",
		ProviderID: "provider", Status: karbor.PlanSuspended,
		Resources: []karbor.Resource{
			{Type: karbor.ServerType, ID: "server", Name: "web", ExtraInfo: map[string]string{"zone": "nova"}},
			{Type: karbor.VolumeType, ID: "volume", Name: "data"},
		},
		Parameters: karbor.Parameters{"OS::Cinder::Volume": {"backup_mode": "full"}},
		CreatedAt:  now, UpdatedAt: now,
	}
}

// NewGraph makes a graph of a server with two volumes.
func NewGraph() *karbor.Graph {
	g := &karbor.Graph{}
	server := g.Add(karbor.Resource{Type: karbor.ServerType, ID: "server", Name: "web"}, "")
	for _, id := range []string{"volume1", "volume2"} {
		g.Connect(server, g.Add(karbor.Resource{Type: karbor.VolumeType, ID: id, Name: id}, ""))
	}
	return g
}

// NewCheckpoint makes a checkpoint that is being made.
func NewCheckpoint(projectID string) karbor.Checkpoint {
	now := nextDate()
	p := NewPlan(projectID)
	return karbor.Checkpoint{
		ID: karbor.NewID(), ProjectID: projectID, ProviderID: "provider", Status: karbor.CheckpointProtecting,
		Plan:      karbor.PlanRecord{ID: p.ID, Name: p.Name, ProviderID: p.ProviderID, Resources: p.Resources, Parameters: p.Parameters},
		Graph:     NewGraph(),
		ExtraInfo: map[string]json.RawMessage{"created_by": json.RawMessage(`"manual"`)},
		CreatedAt: now, UpdatedAt: now,
	}
}

// Acceptance makes what accepting an operation on a checkpoint keeps.
func Acceptance(typ karbor.OperationType, c karbor.Checkpoint) store.Acceptance {
	now := nextDate()
	a := store.Acceptance{
		Operation: store.Operation{
			ID: karbor.NewID(), Type: typ, ProjectID: c.ProjectID, ProviderID: c.ProviderID, CheckpointID: c.ID,
			PlanID: c.Plan.ID, Graph: c.Graph, Parameters: c.Plan.Parameters, Delegation: []byte{0, 1, 0xff},
			CreatedAt: now,
		},
		Log: karbor.OperationLog{
			ID: karbor.NewID(), ProjectID: c.ProjectID, OperationType: typ, CheckpointID: c.ID, PlanID: c.Plan.ID,
			ProviderID: c.ProviderID, Status: karbor.LogStatus(c.Status), StartedAt: now,
		},
	}
	switch typ {
	case karbor.Protect:
		a.Checkpoint = &c
	case karbor.Delete:
		a.CheckpointFrom = []karbor.CheckpointStatus{
			karbor.CheckpointAvailable, karbor.CheckpointError, karbor.CheckpointErrorDeleting}
		a.CheckpointTo = karbor.CheckpointDeleting
		a.Log.Status = karbor.LogStatus(karbor.CheckpointDeleting)
	case karbor.RestoreOperation:
		a.Restore = &karbor.Restore{
			ID: karbor.NewID(), ProjectID: c.ProjectID, ProviderID: c.ProviderID, CheckpointID: c.ID,
			Status: karbor.RestoreInProgress, CreatedAt: now, UpdatedAt: now,
		}
		a.CheckpointFrom = []karbor.CheckpointStatus{karbor.CheckpointAvailable}
		a.Operation.RestoreID, a.Log.RestoreID = a.Restore.ID, a.Restore.ID
		a.Log.Status = karbor.LogInProgress
	default: // what it makes, its test says itself
	}
	return a
}

// available keeps a checkpoint that is ready.
func available(t *testing.T, s *store.Store, projectID string) karbor.Checkpoint {
	t.Helper()
	c := NewCheckpoint(projectID)
	c.Status = karbor.CheckpointAvailable
	must(t, s.PutCheckpoint(t.Context(), c))
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind karbor.Kind) {
	t.Helper()
	if err == nil || karbor.KindOf(err) != kind {
		t.Errorf("got the error %v, want one of the kind %d", err, kind)
	}
}
