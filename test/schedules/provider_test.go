package schedules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/karbor/karbor"
)

// restart has the service end, and start again after something has been done.
func (s *site) restart(meanwhile func() error) {
	s.t.Helper()
	s.end()
	if err := meanwhile(); err != nil {
		s.t.Fatal(err)
	}
	s.start()
}

// An operator takes a provider out of service by its file.
func TestARunOfAProviderThatIsOutOfServiceSaysSoAndTheNextOneRuns(t *testing.T) {
	s := newSite(t)
	operation, trigger := s.protecting()
	file := filepath.Join(s.config.Providers, "bank.yaml")
	s.restart(func() error {
		// There must be one provider; this is another.
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		other := strings.NewReplacer(providerID, karbor.NewID(), "name: bank", "name: other", "/bank}", "/other}").Replace(string(text))
		return errors.Join(os.Rename(file, file+".off"), os.WriteFile(filepath.Join(s.config.Providers, "other.yaml"), []byte(other), 0o600))
	})
	s.until(operation, s.soon(trigger), "error")
	log := fmt.Sprint(s.call("GET", "/scheduled_operations/"+operation+"/runs", nil))
	for _, want := range []string{"there is no provider " + providerID, "ask your operator"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log of runs is %s, without %q", log, want)
		}
	}
	// It is not the schedule that is broken.
	shown, _ := s.call("GET", "/scheduled_operations/"+operation, nil)["scheduled_operation"].(map[string]any)
	if d, _ := shown["delegation"].(map[string]any); shown["state"] == "broken" || d["state"] != "good" {
		t.Errorf("the scheduled operation is %v", shown)
	}
	s.restart(func() error { return os.Rename(file+".off", file) })
	s.until(operation, s.soon(trigger), "success")
}
