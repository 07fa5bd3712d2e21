package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/karbor/karbor/test/demo/application"
	"github.com/karbor/karbor/test/demo/service"
)

// story is one run of the demo.
type story struct {
	settings
	dir string
	log *os.File
	out *printer

	process *service.Process // nil if karbord ran before the demo
	karbor  *service.Command
	cloud   *application.Cloud

	// before is what the tenant had before the demo.
	before   application.Inventory
	app      *application.Application
	original *picture

	// data is how many bytes of it are not zero.
	data int64

	providerID, planID, restoreID string
	// checkpointID is the newest checkpoint, firstID the one before it.
	checkpointID, firstID string
	// copyID is the copy of it.
	copyID        string
	first, second figures
}

// tell runs the story from beginning to end.
func (s *story) tell(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.finish(ctx)) }()
	steps := []step{
		{"Open the cloud", s.open},
		{"Create the application", s.create},
		{"Take digests and properties from the cloud", s.look},
		{"Plan the two servers and the archive, draw the graph", s.plan},
		{"Protect", s.protect},
		{"Change a little, and protect again", s.again},
		{"Destroy the application in the cloud", s.destroy},
		{"Restore", s.restore},
		{"", s.judge},
	}
	if s.settings.proof {
		steps = s.proof()
	}
	for _, step := range steps {
		if step.what == "" {
			if err := step.do(ctx); err != nil {
				return err
			}
			continue
		}
		if err := s.out.step(step.what, func() error { return step.do(ctx) }); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// step is a part of the story; one without a name tells its own.
type step struct {
	what string
	do   func(context.Context) error
}

// simulated reports whether the cloud is the one that karbord brings along.
func (s *story) simulated() bool { return s.openrc == "" }

// open starts karbord, if it does not run yet, and logs in to the cloud.
func (s *story) open(ctx context.Context) (err error) {
	openrc := s.openrc
	if s.karbord != "" {
		state := filepath.Join(s.dir, "state")
		if s.process, err = service.Start(ctx, service.Options{Program: s.karbord, State: state, Config: s.config, Log: s.log}); err != nil {
			return err
		}
		s.out.note("karbord: %s", s.process.API)
		if s.simulated() {
			s.out.note("simulated cloud: %s", s.process.Cloud)
			openrc = filepath.Join(state, "openrc-demo")
		}
	}
	env, err := service.ReadOpenRC(openrc)
	if err != nil {
		return err
	}
	if s.endpoint != "" {
		env["OS_ENDPOINT_OVERRIDE"] = s.endpoint
	}
	s.karbor = &service.Command{Program: s.settings.karbor, Env: env, Log: s.log, Progress: os.Stderr}
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		s.karbor.Progress = &indenter{w: os.Stderr}
	}
	if s.cloud, err = application.Open(ctx, env); err != nil {
		return err
	}
	if s.simulated() {
		// There karbord may choose addresses, and the demo may ask an administrator.
		s.cloud.SameAddress = true
		if env, err = service.ReadOpenRC(filepath.Join(s.dir, "state", "openrc-admin")); err != nil {
			return err
		}
		if s.cloud.Administrator, err = application.Open(ctx, env); err != nil {
			return err
		}
		env = s.karbor.Env
	}
	s.out.note("tenant %s, user %s", env["OS_PROJECT_NAME"], env["OS_USERNAME"])
	s.before, err = s.cloud.Inventory(ctx)
	return err
}

// create makes the application and lets its guests boot.
func (s *story) create(ctx context.Context) (err error) {
	suffix := make([]byte, 3)
	_, _ = rand.Read(suffix) // never fails: see its documentation
	s.app, err = s.cloud.Create(ctx, "shop-"+hex.EncodeToString(suffix), func(what string) { s.out.note("%s", what) })
	if err != nil {
		return err
	}
	s.out.note("file systems: %s", s.app.FileSystem)
	if !s.simulated() {
		// The images have no boot loader: a real guest does not get as far as to write.
		return nil
	}
	rewritten, err := s.cloud.AwaitGuest(ctx, s.app, time.Minute)
	if err != nil {
		return err
	}
	if rewritten == 0 {
		return errors.New("the guest has not written to its root disk")
	}
	s.out.note("the guest rewrote %d blocks of its root disk when it booted", rewritten)
	return nil
}

// look takes digests and properties of the original.
func (s *story) look(ctx context.Context) (err error) {
	if s.original, err = takePicture(ctx, s.cloud, s.app, false); err != nil {
		return err
	}
	data := int64(0)
	for _, name := range []string{application.RootVolume, application.DataVolume, application.RootDisk} {
		d := s.original.disks[name]
		data += d.Data
		s.out.note("%s  %10d bytes  %s", d.SHA256[:16], d.Bytes, name)
	}
	const least = 300 << 20
	if data < least {
		return fmt.Errorf("the application holds only %d bytes of data, not %d", data, least)
	}
	s.data = data
	s.out.note("%d MiB of data; %d properties", data>>20, len(s.original.properties))
	return nil
}

func (s *story) plan(ctx context.Context) error {
	if err := s.chooseProvider(ctx); err != nil {
		return err
	}
	args := []string{"plan", "create", s.app.Name, s.providerID}
	for _, name := range s.app.Servers() {
		args = append(args, "--resource", "server:"+name)
	}
	args = append(args, "--resource", "volume:"+s.app.Archived())
	var plan struct{ ID string }
	if err := s.karbor.JSON(ctx, false, &plan, args...); err != nil {
		return err
	}
	s.planID = plan.ID
	graph, err := s.karbor.Run(ctx, false, "plan", "graph", s.planID)
	s.out.show(graph)
	return err
}

func (s *story) chooseProvider(ctx context.Context) error {
	var providers []struct{ ID, Name string }
	if err := s.karbor.JSON(ctx, false, &providers, "provider", "list"); err != nil {
		return err
	}
	for _, p := range providers {
		if s.provider == "" && p.Name != "noop" || s.provider == p.Name || s.provider == p.ID {
			s.providerID = p.ID
			s.out.note("provider %q", p.Name)
			return nil
		}
	}
	return fmt.Errorf("the service has no provider for this, among %d", len(providers))
}

// operation is what a checkpoint and a restore have in common.
type operation struct{ ID, Status string }

func (s *story) protect(ctx context.Context) error {
	var cp checkpoint
	create := []string{"checkpoint", "create", s.providerID, s.planID, "--extra-info", "why=demo"}
	if s.crash {
		if err := s.karbor.JSON(ctx, false, &cp, create...); err != nil {
			return err
		}
		s.checkpointID = cp.ID
		if err := s.killWhile(ctx, "protect"); err != nil {
			return err
		}
		create = []string{"checkpoint", "show", s.providerID, s.checkpointID}
	}
	if err := s.karbor.JSON(ctx, true, &cp, append(create, "--wait", "--timeout", "30m")...); err != nil {
		return err
	}
	s.checkpointID, s.first = cp.ID, cp.figures()
	graph, err := s.karbor.Run(ctx, false, "checkpoint", "show", s.providerID, cp.ID, "--graph")
	s.out.show(graph)
	if err != nil {
		return err
	}
	return s.nothingLeft(ctx, s.app)
}

func (s *story) destroy(ctx context.Context) error {
	if err := s.cloud.Destroy(ctx, s.app); err != nil {
		return err
	}
	return s.nothingLeft(ctx, &application.Application{})
}

func (s *story) restore(ctx context.Context) error {
	var r operation
	create := []string{"restore", "create", s.providerID, s.checkpointID}
	if s.crash {
		if err := s.karbor.JSON(ctx, false, &r, create...); err != nil {
			return err
		}
		s.restoreID = r.ID
		if err := s.killWhile(ctx, "restore"); err != nil {
			return err
		}
		create = []string{"restore", "show", s.restoreID}
	}
	var done struct {
		operation
		NotKept map[string][]string `json:"not_kept"`
	}
	if err := s.karbor.JSON(ctx, true, &done, append(create, "--wait", "--timeout", "30m")...); err != nil {
		return err
	}
	s.restoreID = done.ID
	for _, what := range slices.Sorted(maps.Keys(done.NotKept)) {
		for _, line := range done.NotKept[what] {
			s.out.note("not kept: %s", line)
		}
	}
	return nil
}

// nothingLeft fails if the tenant has more in the cloud than before the demo
// and the application. In a real cloud others may use the project meanwhile:
// there only what bears the application's name counts, and what Karbor makes for
// a part of the application, whose id is in its name.
func (s *story) nothingLeft(ctx context.Context, app *application.Application) error {
	var mine func(string) bool
	if !s.simulated() {
		ids := append(s.app.IDs(), s.firstID, s.checkpointID, s.restoreID)
		mine = func(name string) bool {
			return strings.Contains(name, s.app.Name) ||
				slices.ContainsFunc(ids, func(id string) bool { return id != "" && strings.Contains(name, id) })
		}
	}
	left, err := s.cloud.Leftovers(ctx, s.before, app, mine)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("left behind in the cloud: %q", left)
	}
	return nil
}
