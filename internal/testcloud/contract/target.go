package contract

import (
	"testing"
	"time"
)

// Credentials are a user's name and password and the project to work in. User
// and project are in the domain with the id "default".
type Credentials struct {
	UserName    string
	Password    string
	ProjectName string
}

// Target is a cloud under test.
type Target struct {
	// AuthURL is Keystone's, with /v3 at its end; Region is the region in
	// the catalog.
	AuthURL string
	Region  string
	// Member and Other are ordinary members of two projects.
	Member Credentials
	Other  Credentials
	// Trustee is the service user that members give trusts to.
	Trustee Credentials
	// Reader has only the role reader, in the project of Member; Admin is an
	// administrator. What needs one of them is left out without it.
	Reader *Credentials
	Admin  *Credentials
	// Simulated says that the target is the simulator, so that it may differ
	// as differences.yaml tells.
	Simulated bool
	// Wait is how long one change of state may take; 0 means 120 s.
	Wait time.Duration
	// Pause is the time between two looks; 0 means 200 ms.
	Pause time.Duration
}

// Difference reports whether the target is the simulator and may differ from a
// real cloud in the way that differences.yaml describes under this id.
func (t Target) Difference(id string) bool {
	if !t.Simulated {
		return false
	}
	_, ok := differences()[id]
	return ok
}

// Run runs the whole suite. Each part is a subtest of its own, so that -run
// can choose.
func Run(t *testing.T, target Target) {
	if target.Wait == 0 {
		target.Wait = 120 * time.Second
	}
	if target.Pause == 0 {
		target.Pause = 200 * time.Millisecond
	}
	for _, part := range []struct {
		name string
		run  func(*testing.T, *cloud)
	}{
		{"identity", testIdentity},
		{"image", testImage},
		{"volume", testVolume},
		{"network", testNetwork},
		{"compute", testCompute},
		{"share", testShare},
		{"database", testDatabase},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, newCloud(t, target)) })
	}
}
