package volumefreezer_test

import (
	"net/http"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection/protectiontest"
)

func (s site) caseOf(t *testing.T, options string) protectiontest.Case {
	t.Helper()
	return protectiontest.Case{
		Plugin: open(t, options), Type: karbor.VolumeType, Session: s.Session, Inventory: s.inventory, Installation: "here", Keeps: 2, ChangesOnly: true,
		Make: func(t *testing.T) protectiontest.Source { return s.disk(t).Source },
	}
}

// TestJobThatIsDeletedBeforeItsEndIsToldAndNothingIsLeft has somebody delete Freezer's job while it runs.
func TestJobThatIsDeletedBeforeItsEndIsToldAndNothingIsLeft(t *testing.T) {
	s, way := newSite(t), &protectiontest.Meanwhile{}
	c := s.caseOf(t, quick)
	c.Transport = way
	err := protectiontest.Spoilt(t, c, karbor.Protect, func() {
		way.Before(t, http.MethodPost, "/jobs$", func() {
			// By the next look it is there, and its scheduler is at it.
			way.Before(t, http.MethodGet, "/jobs/[0-9a-f]{32}$", func() {
				for _, job := range s.all(t, "jobs") {
					id, _ := job["job_id"].(string)
					s.ask(t, http.MethodDelete, "jobs/"+id, nil)
				}
			})
		})
	}, func() {})
	protectiontest.ExpectRefusal(t, err, karbor.Conflict, "Freezer's job", "was deleted before it ended")
}

func TestCloudThatListsThingsTwiceGivesOneOfEach(t *testing.T) {
	c := newSite(t).caseOf(t, quick)
	c.Transport = protectiontest.Doubling{}
	protectiontest.Life(t, c)
}
