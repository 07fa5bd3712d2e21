//go:build compat

package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/test/demo/service"
)

// site is a karbord beside its simulated cloud, with something in it.
type site struct {
	driver *driver
	api    string
	// users holds the environment of each user.
	users map[string]map[string]string
	// vars are the variables of the scripts: ids of what is in the cloud.
	vars map[string]string
}

// openSite builds karbord, starts it, and fills its cloud through the client.
func openSite(t *testing.T) *site {
	t.Helper()
	needClients(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "karbord")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/karbord")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building karbord: %v\n%s", err, out)
	}
	state, home := filepath.Join(dir, "state"), filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if text, err := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("karbord's log: %v\n%s", err, text)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	process, err := service.Start(t.Context(), service.Options{Program: program, State: state, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := &site{driver: startDriver(t, home), api: process.API, users: map[string]map[string]string{}, vars: map[string]string{}}
	for _, user := range []string{"admin", "demo", "other"} {
		env, err := service.ReadOpenRC(filepath.Join(state, "openrc-"+user))
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(env, map[string]string{"PATH": "/usr/bin:/bin", "HOME": home, "LC_ALL": "C.UTF-8", "COLUMNS": "500"})
		s.users[user] = env
	}
	s.fill(t, dir)
	s.keep(t, state)
	return s
}

// keep writes into the database what nothing makes yet in this one process: an
// operation engine that has reported once, and a verification that has ended.
func (s *site) keep(t *testing.T, state string) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(state, "karbor", "karbor.db"), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := db.ReportService(t.Context(), "engine.example", karbor.OperationEngineBinary); err != nil {
		t.Fatal(err)
	}
	v := karbor.Verification{
		ID: karbor.NewID(), ProjectID: s.vars["project"], ProviderID: s.vars["noop"], CheckpointID: karbor.NewID(),
		Parameters:      karbor.Parameters{"OS::Cinder::Volume": {"a": "b"}},
		Status:          karbor.VerificationError,
		ResourcesStatus: map[string]karbor.VerificationStatus{"OS::Cinder::Volume#" + s.vars["volume"]: karbor.VerificationError},
		ResourcesReason: map[string]string{"OS::Cinder::Volume#" + s.vars["volume"]: "Backup not found"},
		CreatedAt:       time.Now(),
	}
	op := store.Operation{ID: karbor.NewID(), Type: karbor.Verify, ProjectID: v.ProjectID, ProviderID: v.ProviderID, CheckpointID: v.CheckpointID}
	err = db.Accept(t.Context(), store.Acceptance{Operation: op, Log: karbor.OperationLog{ID: op.ID, ProjectID: v.ProjectID}, Verification: &v})
	if err == nil {
		err = db.EndOperation(t.Context(), op.ID, store.Outcome{})
	}
	if err != nil {
		t.Fatal(err)
	}
	s.vars["verification"], s.vars["verified"] = v.ID, v.CheckpointID
}

// fill makes an application of the user demo: a server on a network, with the
// image that it boots from, and a volume.
func (s *site) fill(t *testing.T, dir string) {
	t.Helper()
	s.vars["api"] = s.api
	s.vars["unknown"] = "00000000-0000-4000-8000-000000000000"
	s.vars["bank"] = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01"
	s.vars["noop"] = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b02"
	content := filepath.Join(dir, "image")
	if err := os.WriteFile(content, []byte("\x00\xff not text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		name string
		args []string
	}{
		{"project", []string{"token", "issue", "-c", "project_id"}},
		{"image", []string{"image", "create", "--file", content, "--disk-format", "raw", "picture", "-c", "id"}},
		{"volume", []string{"volume", "create", "--size", "1", "data", "-c", "id"}},
		{"network", []string{"network", "create", "net", "-c", "id"}},
		{"subnet", []string{"subnet", "create", "--network", "net", "--subnet-range", "10.9.0.0/24", "sub", "-c", "id"}},
		{"server", []string{"server", "create", "--flavor", "m1.tiny", "--image", "picture", "--network", "net", "web", "-c", "id"}},
	} {
		o, err := s.driver.run(command{Program: "openstack", Args: append(one.args, "-f", "json"), Env: s.users["demo"], Dir: dir})
		if err != nil || o.Code != 0 {
			t.Fatalf("openstack %q: %v, exit code %d\n%s%s", one.args, err, o.Code, o.Out, o.Err)
		}
		var members map[string]string
		if err := json.Unmarshal([]byte(o.Out), &members); err != nil {
			t.Fatalf("openstack %q: %v\n%s", one.args, err, o.Out)
		}
		s.vars[one.name] = members[one.args[len(one.args)-1]]
	}
	o, err := s.driver.run(command{Program: "openstack", Args: []string{"token", "issue", "-c", "project_id", "-f", "value"}, Env: s.users["other"], Dir: dir})
	if err != nil || o.Code != 0 {
		t.Fatal(fmt.Errorf("asking for the other project: %w\n%s", err, o.Err))
	}
	s.vars["otherproject"] = o.Out[:len(o.Out)-1]
}
