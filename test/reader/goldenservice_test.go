package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/checkpoint"
	streaming "github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/format"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/internal/repository/verification"
)

func servicesStreams(t testing.TB) []goldenStream {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(servicesFolder, "streams.json"))
	if err != nil {
		t.Fatal(err)
	}
	var streams []goldenStream
	if err := json.Unmarshal(text, &streams); err != nil || len(streams) != 5 {
		t.Fatal(err, streams)
	}
	return streams
}

func TestGoldenBankOfServicesIsReadByThisReader(t *testing.T) {
	if *update {
		writeServices(t)
	}
	bank, err := openFolder(filepath.Join(servicesFolder, "bank"))
	check(t, err)
	defer func() { _ = bank.Close() }()
	for option, name := range map[string]string{"key-file": "key", "passphrase-file": "passphrase", "recovery-file": "recovery-key"} {
		path := filepath.Join(servicesFolder, name)
		by, err := readWay(map[string]*string{option: &path})
		check(t, err)
		for _, index := range []bool{false, true} {
			v := &vault{from: bank, by: &by, useIndex: index, domains: map[string]*repository{}}
			for _, want := range servicesStreams(t) {
				got := newHashing()
				check(t, v.stream(found{key: want.Manifest}, got))
				if diff := cmp.Diff(want, got.stream(want.Manifest)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", option, diff)
				}
			}
			all, err := states(bank)
			check(t, err)
			for _, s := range all {
				d, err := v.description(s)
				if err != nil || d.planName != "nightly" || d.sealed != (s.project != projectClear) {
					t.Errorf("%s: %+v, %v", s.checkpoint, d, err)
				}
			}
			if len(all) != 5 {
				t.Errorf("%d checkpoints", len(all))
			}
		}
	}
	for domain, collected := range map[string]bool{projectOne: true, projectTwo: false} {
		sessions, epochs, leases, err := checkProtocol(bank, domain)
		if err != nil || sessions == 0 || (epochs > 0) != collected || (leases > 0) != collected {
			t.Errorf("%s: %d records of sessions, %d epochs, %d leases: %v", domain, sessions, epochs, leases, err)
		}
	}
}

func TestGoldenBankOfServicesIsReadByTheProduct(t *testing.T) {
	for _, kind := range slotKinds {
		t.Run(string(kind), func(t *testing.T) {
			ctx, dir := t.Context(), t.TempDir()
			check(t, os.CopyFS(dir, os.DirFS(filepath.Join(servicesFolder, "bank"))))
			b, err := file.Open(ctx, file.Options{Path: dir})
			check(t, err)
			defer func() { _ = b.Close() }()
			domains, err := streaming.NewDomains(streaming.Options{Bank: b, Keys: []*keyring.Source{servicesWay(t, kind)}, Now: time.Now})
			check(t, err)
			defer func() { check(t, domains.Close(ctx)) }()
			c, err := checkpoint.Open(ctx, b, checkpoint.Options{Now: time.Now, Sealer: domains})
			check(t, err)
			for _, want := range servicesStreams(t) {
				parts := strings.Split(want.Manifest, "/")
				cp, err := c.Get(ctx, parts[2], parts[3])
				if err != nil || cp.Status != karbor.CheckpointAvailable || cp.Plan.Name != "nightly" {
					t.Fatalf("%+v, %v", cp, err)
				}
				section, err := c.Data(parts[2], parts[3], karbor.NodeKey("volume/"+serviceVolume))
				check(t, err)
				streams, err := streaming.NewStreams(streaming.StreamsOptions{Domains: domains, Project: parts[2], Section: section})
				check(t, err)
				r, err := streams.Open(ctx, "volume")
				check(t, err)
				got := newHashing()
				_, err = io.Copy(got, r)
				check(t, err)
				check(t, r.Close())
				if diff := cmp.Diff(want, got.stream(want.Manifest)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
			marked, err := verification.Marked(ctx, b, projectTwo)
			if err != nil || len(marked) != 1 {
				t.Errorf("marked: %v, %v", marked, err)
			}
		})
	}
}

// goldens are the folders of what is frozen.
var goldens = []string{
	"testdata/golden/v1", "testdata/golden/v1-service", "../../internal/checkpoint/testdata/layout1",
	"../../internal/checkpoint/testdata/layout1-sealed", "../../internal/repository/chunks/testdata/chunks1",
	"../../internal/checkpoint/testdata/layout1-contents", "../../internal/checkpoint/testdata/layout1-contents-sealed",
	"../../internal/checkpoint/testdata/layout1-evidence", "../../internal/checkpoint/testdata/layout1-evidence-sealed",
}

const frozenList = "testdata/golden/FROZEN"

var freeze = flag.Bool("freeze", false, "add goldens that are new to the list of the frozen ones; lines of it never change")

// TestFrozenGoldensNeverChange: what was written by a version that is released has to be read as it is.
func TestFrozenGoldensNeverChange(t *testing.T) {
	got := map[string]string{}
	for _, folder := range goldens {
		check(t, filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			sum := sha256.Sum256(content)
			got[filepath.ToSlash(path)] = hex.EncodeToString(sum[:])
			return err
		}))
	}
	want := map[string]string{}
	text, err := os.ReadFile(frozenList)
	if err != nil && !*freeze {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		sum, path, _ := strings.Cut(strings.TrimSpace(line), "  ")
		want[path] = sum
	}
	if *freeze {
		lines := slices.Collect(strings.Lines(string(text)))
		for path, sum := range got {
			if want[path] == "" {
				want[path] = sum
				lines = append(lines, fmt.Sprintf("%s  %s\n", sum, path))
			}
		}
		slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[sha256.Size*2:], b[sha256.Size*2:]) })
		check(t, os.WriteFile(frozenList, []byte(strings.Join(lines, "")), 0o600))
	}
	if len(want) < 100 {
		t.Fatalf("only %d files are frozen", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is frozen has changed (-frozen +found):\n%s", diff)
	}
}

func TestGoldenBankOfServicesHasEverythingInIt(t *testing.T) {
	bank, err := openFolder(filepath.Join(servicesFolder, "bank"))
	check(t, err)
	defer func() { _ = bank.Close() }()
	for _, domain := range []string{projectOne, projectTwo} {
		prefix := "v1/repositories/" + domain + "/slots/"
		names, err := bank.list(prefix)
		check(t, err)
		kinds := map[string]bool{}
		for _, key := range names {
			text, err := readWhole(bank, key, documentLimit)
			check(t, err)
			one, err := parseSlot(text, strings.TrimPrefix(key, prefix))
			check(t, err)
			kinds[one.kind] = true
		}
		for _, kind := range slotKinds {
			if !kinds[string(kind)] {
				t.Errorf("%s has no slot of the kind %s", domain, kind)
			}
		}
	}
	// Its mark is right: the pack is damaged, and what it held is somewhere else.
	marks, err := bank.list("v1/repositories/" + projectTwo + "/damaged/")
	if err != nil || len(marks) != 1 {
		t.Fatal(marks, err)
	}
	name := filepath.Base(marks[0])
	content, err := readWhole(bank, "v1/repositories/"+projectTwo+"/packs/"+name[:2]+"/"+name, packLimit)
	check(t, err)
	if sum, _ := format.ParseName(name); format.NameOf(content) == sum {
		t.Error("the marked pack is whole")
	}
}
