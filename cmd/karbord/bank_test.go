package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/cmd/karbord/bankcommand"
	"github.com/karbor/karbor/internal/checkpoint"
	"github.com/karbor/karbor/internal/provider"
	"github.com/karbor/karbor/internal/repository/keyring"
)

var updateStories = flag.Bool("update", false, "write the golden files of the stories anew")

// TestBankStories runs the scripts. "karbord CODE ARGS..." runs the command in this process
// and checks its exit code; "protect" makes a checkpoint in the bank of the provider bank, which
// has a key file; $GOLDEN is the folder of the golden banks.
func TestBankStories(t *testing.T) {
	golden, err := filepath.Abs("../../internal/checkpoint/testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/bank",
		UpdateScripts: *updateStories,
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"layout1", "layout1-sealed"} {
				if err := os.CopyFS(filepath.Join(e.WorkDir, name), os.DirFS(filepath.Join(golden, name))); err != nil {
					return err
				}
			}
			key, err := os.ReadFile(filepath.Join(golden, "layout1-sealed.key"))
			if err == nil {
				err = os.WriteFile(filepath.Join(e.WorkDir, "layout1-sealed.key"), key, 0o600)
			}
			return errors.Join(err, writeSite(e.WorkDir))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"karbord": runKarbord, "protect": protectVolume, "overwrite": overwrite,
		},
	})
}

// The ids of what protect makes.
const (
	storyProvider   = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01"
	storyProject    = "0123456789abcdef0123456789abcdef"
	storyPlan       = "0a1b2c3d-0001-4002-8003-0000000000aa"
	storyCheckpoint = "0a1b2c3d-0001-4002-8003-00000000000"
	storyServer     = "0a1b2c3d-0001-4002-8003-0000000000bb"
	storyVolume     = "0a1b2c3d-0001-4002-8003-0000000000cc"
)

// writeSite writes the files of a service with a provider whose bank has keys.
func writeSite(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "providers.d"), 0o700); err != nil {
		return err
	}
	files := map[string]string{
		"karbord.yaml": "providers: " + dir + "/providers.d\nstate: " + dir + "/state\n" +
			"keystone: {auth_url: 'http://keystone.example:5000/v3', password_file: /etc/karbor/password}\n",
		"providers.d/bank.yaml": "id: " + storyProvider + "\nname: bank\nbank: {plugin: karbor-file-bank, options: {path: " + dir + "/bank}}\n" +
			"plugins: [{plugin: karbor-noop-plugin}]\nrepository: {keys: [{file: " + dir + "/site.key}], recovery_file: " + dir + "/recovery.key}\n",
		"providers.d/old.yaml": "id: 6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b03\nname: old\n" +
			"bank: {plugin: karbor-file-bank, options: {path: " + dir + "/oldbank}}\nplugins: [{plugin: karbor-noop-plugin}]\n",
		"providers.d/clear.yaml": "id: 6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b02\nname: clear\n" +
			"bank: {plugin: karbor-file-bank, options: {path: " + dir + "/clear}}\nplugins: [{plugin: karbor-noop-plugin}]\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return errors.Join(keyring.WriteKeyFile(filepath.Join(dir, "site.key")), keyring.WriteKeyFile(filepath.Join(dir, "recovery.key")))
}

// runKarbord runs karbord in the script's folder.
func runKarbord(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: karbord EXITCODE ARGS...")
	}
	words := args[1:]
	for i, w := range words { // paths are the script's
		if i > 0 && (words[i-1] == "import" || words[i-1] == "remove-legacy" || words[i-1] == "--to" && words[1] == "copy" || strings.HasSuffix(words[i-1], "-file") || words[i-1] == "--path" || words[i-1] == "--config" || words[i-1] == "-o") && !strings.HasPrefix(w, "-") {
			words[i] = ts.MkAbs(w)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if ts.Getenv("INTERRUPT") != "" {
		cancel()
	}
	cmd := command(ts.Stdout(), ts.Stderr())
	cmd.SetArgs(words)
	code := 0
	if err := cmd.ExecuteContext(ctx); err != nil {
		var text string
		code, text = bankcommand.Code(err)
		_, _ = ts.Stderr().Write([]byte("karbord: " + text + "\n"))
	}
	if code != want {
		ts.Fatalf("exit code %d, not %d", code, want)
	}
}

// volumeContent is what protect stores, n in its middle.
func volumeContent(n string) []byte {
	content := bytes.Repeat([]byte("Karbor protects "), 40_000)
	content = append(content, make([]byte, 1<<20)...)
	return append(content, "the end of volume "+n...)
}

// protectVolume makes checkpoints of a server with a volume, one for each argument, a digit;
// and a file with the volume's bytes, volume-DIGIT.raw.
func protectVolume(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	p, err := provider.Find(ctx, ts.MkAbs("providers.d"), ts.Getenv("PROVIDER"), sets(), provider.Options{Owner: "story", Now: time.Now})
	ts.Check(err)
	ts.Check(p.Acquire(ctx))
	for _, n := range args {
		ts.Check(protectOne(ctx, p, n))
		ts.Check(os.WriteFile(ts.MkAbs("volume-"+n+".raw"), volumeContent(n), 0o600))
	}
	ts.Check(p.Checkpoints().Lease().Release(ctx))
	ts.Check(p.Close())
}

func protectOne(ctx context.Context, p *provider.Provider, n string) error {
	server := karbor.Resource{Type: karbor.ServerType, ID: storyServer, Name: "web"}
	volume := karbor.Resource{Type: karbor.VolumeType, ID: storyVolume, Name: "root \x1b[31mdisk"}
	graph := &karbor.Graph{}
	node := graph.Add(volume, "")
	graph.Connect(graph.Add(server, ""), node)
	number, err := strconv.Atoi(n)
	if err != nil {
		return err
	}
	cp := karbor.Checkpoint{
		ID: storyCheckpoint + n, ProjectID: storyProject, ProviderID: p.ID, Graph: graph,
		Plan:      karbor.PlanRecord{ID: storyPlan, Name: "plan as of " + n, ProviderID: p.ID, Resources: []karbor.Resource{server}},
		ExtraInfo: map[string]json.RawMessage{},
		CreatedAt: time.Date(2026, 11, number, 12, 0, 0, 0, time.UTC),
	}
	if err := p.Checkpoints().Create(ctx, cp); err != nil {
		return err
	}
	streams, err := p.Streams(storyProject, cp.ID, node.Key())
	if err != nil {
		return err
	}
	w, err := streams.Create(ctx, "volume")
	if err != nil {
		return err
	}
	content := volumeContent(n)
	if _, err := w.Write(content); err != nil {
		return err
	}
	if _, err := w.Commit(ctx); err != nil {
		return err
	}
	return p.Checkpoints().SetState(ctx, storyProject, cp.ID, karbor.CheckpointAvailable, checkpoint.Change{Size: int64(len(content))})
}

// overwrite puts a text into all files that a pattern finds, as a fault of the disk would.
func overwrite(ts *testscript.TestScript, _ bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("%s finds nothing", args[0])
	}
	for _, path := range found {
		ts.Check(os.WriteFile(path, []byte(args[1]), 0o600))
	}
}

func TestEveryBankCommandExplainsItself(t *testing.T) {
	var every func(c *cobra.Command)
	every = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Long == "" || c.Example == "" && !c.HasSubCommands() {
			t.Errorf("%s has no short and long text and an example", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: --%s has no text", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			every(sub)
		}
	}
	every(bankcommand.New(setsFor))
}
