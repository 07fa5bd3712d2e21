package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/checkpoint"
	streaming "github.com/karbor/karbor/internal/repository"
	"github.com/karbor/karbor/internal/repository/keyring"
)

const (
	serviceProject    = "0b5e2c1ac7b94b6c9b3d5c1f0a7e4d21"
	serviceCheckpoint = "0a1b2c3d-0001-4002-8003-00000000000"
	serviceVolume     = "0a1b2c3d-0001-4002-8003-0000000000aa"
	serviceImage      = "0a1b2c3d-0001-4002-8003-0000000000bb"
)

// serviceBank makes a bank with the packages that the service protects with: two checkpoints of a volume and
// an image, the second with a little changed. It gives the digests of the streams, by checkpoint and resource.
func serviceBank(t *testing.T, dir string, keys []*keyring.Source) map[string]string {
	t.Helper()
	ctx := t.Context()
	b, err := file.Open(ctx, file.Options{Path: dir})
	check(t, err)
	o := checkpoint.Options{Owner: "worker", Now: time.Now}
	var domains *streaming.Domains
	if keys != nil {
		domains, err = streaming.NewDomains(streaming.Options{Bank: b, Keys: keys, Now: time.Now})
		check(t, err)
		o.Sealer = domains
	}
	c, err := checkpoint.Open(ctx, b, o)
	check(t, err)
	check(t, c.Lease().Acquire(ctx))
	digests := map[string]string{}
	for n := 1; n <= 2; n++ {
		maps.Copy(digests, protect(t, c, domains, n))
	}
	check(t, c.Lease().Release(ctx))
	if domains != nil {
		check(t, domains.Close(ctx))
	}
	check(t, b.Close())
	return digests
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serviceStream gives the content of a stream: text that can be made shorter, a hole, the same once more, and noise.
func serviceStream(seed, n int) []byte {
	text := prose(uint64(seed), 3<<20+77)
	content := append(bytes.Clone(text), make([]byte, 2<<20)...)
	content = append(append(content, text[:1<<20]...), noise(byte(seed), 300_000)...)
	copy(content[1<<20:], fmt.Sprintf("this is version %d", n))
	return content
}

func protect(t *testing.T, c *checkpoint.Checkpoints, domains *streaming.Domains, n int) map[string]string {
	t.Helper()
	ctx := t.Context()
	graph := &karbor.Graph{}
	volume := graph.Add(karbor.Resource{Type: karbor.VolumeType, ID: serviceVolume, Name: "data"}, "")
	image := graph.Add(karbor.Resource{Type: karbor.ImageType, ID: serviceImage, Name: "image"}, serviceVolume)
	graph.Connect(volume, image)
	cp := karbor.Checkpoint{ID: serviceCheckpoint + strconv.Itoa(n), ProjectID: serviceProject, ProviderID: "provider", Graph: graph,
		Plan:      karbor.PlanRecord{ID: "plan", Name: fmt.Sprintf("plan %d, \"quoted\"", n), ProviderID: "provider", Resources: []karbor.Resource{volume.Resource}},
		CreatedAt: time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC)}
	check(t, c.Create(ctx, cp))
	digests := map[string]string{}
	for i, node := range graph.Nodes() {
		section, err := c.Data(serviceProject, cp.ID, node.Key())
		check(t, err)
		streams, err := streaming.NewStreams(streaming.StreamsOptions{Domains: domains, Project: serviceProject, Section: section})
		check(t, err)
		w, err := streams.Create(ctx, "stream")
		check(t, err)
		content := serviceStream(i+1, n)
		_, err = w.Write(content)
		check(t, err)
		_, err = w.Commit(ctx)
		check(t, err)
		sum := sha256.Sum256(content)
		digests[cp.ID+" "+string(node.Key())] = hex.EncodeToString(sum[:])
	}
	check(t, c.SetState(ctx, serviceProject, cp.ID, karbor.CheckpointAvailable, checkpoint.Change{Size: 7}))
	return digests
}

// read gives what the reader prints.
func read(t *testing.T, arguments ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(arguments, &out); err != nil {
		t.Fatalf("%q: %v", arguments, err)
	}
	return out.String()
}

func TestBankOfTheServiceIsReadWithNothingButAKey(t *testing.T) {
	folder := t.TempDir()
	key, recovery := filepath.Join(folder, "key"), filepath.Join(folder, "recovery")
	check(t, keyring.WriteKeyFile(key))
	check(t, keyring.WriteKeyFile(recovery))
	for name, keys := range map[string][]*keyring.Source{
		"clear": nil, "encrypted": {keyring.KeyFile(key), keyring.RecoveryFile(recovery)},
	} {
		t.Run(name, func(t *testing.T) {
			bank := filepath.Join(t.TempDir(), "bank")
			digests := serviceBank(t, bank, keys)
			ways := [][]string{{"--key-file", key}, {"--recovery-file", recovery}, {"--key-file", key, "--index"}}
			if keys == nil {
				ways = [][]string{{}}
			}
			for _, by := range ways {
				list := read(t, append([]string{"--bank", bank, "--list"}, by...)...)
				want := serviceProject + " " + serviceCheckpoint + `1 available 2026-11-01T12:00:00Z 7 "plan 1, \"quoted\""` + "\n" +
					serviceProject + " " + serviceCheckpoint + `2 available 2026-11-02T12:00:00Z 7 "plan 2, \"quoted\""` + "\n"
				if diff := cmp.Diff(want, list); diff != "" {
					t.Errorf("%q (-want +got):\n%s", by, diff)
				}
				for what, digest := range digests {
					id, node, _ := strings.Cut(what, " ")
					content := read(t, append([]string{"--bank", bank, "--checkpoint", id, "--resource", node}, by...)...)
					if sum := sha256.Sum256([]byte(content)); hex.EncodeToString(sum[:]) != digest {
						t.Errorf("%q: the stream of %s has %d other bytes", by, what, len(content))
					}
				}
			}
			streams := read(t, "--bank", bank, "--checkpoint", serviceCheckpoint+"1")
			if want := "image/" + serviceImage + "@" + serviceVolume + " stream\nvolume/" + serviceVolume + " stream\n"; streams != want {
				t.Errorf("the streams are %q, want %q", streams, want)
			}
		})
	}
}

func TestEncryptedBankTellsNoNamesWithoutAKey(t *testing.T) {
	list := read(t, "--bank", sealedFolder, "--list")
	if !strings.Contains(list, "available") || strings.Contains(list, "plan") {
		t.Errorf("the list is %q", list)
	}
	var out bytes.Buffer
	if err := run([]string{"--bank", sealedFolder, "--domain", sealedDomain, "--document", sealedPrefix + "description"}, &out); err == nil {
		t.Errorf("the document %q is read", out.String())
	}
}

func TestStreamsOfChunksAreRefusedWhenAnythingIsWrong(t *testing.T) {
	good := memory{}
	bank, err := openFolder(clearFolder)
	check(t, err)
	defer func() { _ = bank.Close() }()
	names, err := bank.list("v1/")
	check(t, err)
	for _, key := range names {
		good[key], err = readWhole(bank, key, packLimit)
		check(t, err)
	}
	prefix := sealedPrefix + "nodes/volume/1de3cb23-6f0c-4e09-9b12-8d5e3a7c6f42/data/volume/"
	stream := found{key: prefix + "manifest", node: "volume", name: "volume"}
	extract := func(from memory) (string, error) {
		var out bytes.Buffer
		err := (&vault{from: from, domains: map[string]*repository{}}).stream(stream, writerSink{&out})
		return out.String(), err
	}
	whole, err := extract(good)
	if err != nil || !strings.HasPrefix(whole, "karbor 1\x00") {
		t.Fatalf("%q, %v", whole, err)
	}
	for _, key := range names {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		for i := range len(good[key]) * 8 {
			harmed := maps.Clone(good)
			harmed[key] = bytes.Clone(good[key])
			harmed[key][i/8] ^= 1 << (i % 8)
			// A flipped bit of the manifest may change nothing that counts, such as a blank.
			if got, err := extract(harmed); err == nil && got != whole {
				t.Errorf("a flipped bit in byte %d of %s gives other bytes", i/8, key)
			} else if err == nil && key != stream.key {
				t.Errorf("a flipped bit in byte %d of %s is not noticed", i/8, key)
			}
		}
		harmed := maps.Clone(good)
		delete(harmed, key)
		if _, err := extract(harmed); err == nil {
			t.Errorf("nobody misses %s", key)
		}
	}
}

func TestStatesThatAreNotValidDoNotCount(t *testing.T) {
	statuses := func(all memory) string {
		found, err := states(all)
		check(t, err)
		var text []string
		for _, s := range found {
			text = append(text, s.status)
		}
		return strings.Join(text, " ")
	}
	const key = "v1/states/p/0a1b2c3d-0001-4002-8003-000000000001/"
	stateOf := func(sequence int, status string) []byte {
		return fmt.Appendf(nil, `{"layout":1,"sequence":%d,"checkpoint_id":"0a1b2c3d-0001-4002-8003-000000000001","project_id":"p","provider_id":"r",`+
			`"plan_id":"q","status":%q,"owner":"o","created_at":"2026-11-01T12:00:00Z","updated_at":"2026-11-01T12:00:00Z","size":1}`, sequence, status)
	}
	all := memory{key + "00000001": stateOf(1, "protecting"), key + "00000002": stateOf(2, "available")}
	for _, test := range []struct {
		key, want string
		object    []byte
	}{
		{"00000003", "available", []byte("{")}, {"00000003", "available", stateOf(4, "error")}, {"00000003", "available", stateOf(3, "lost")},
		{"3", "available", stateOf(3, "error")}, {"00000000", "available", stateOf(0, "error")}, {"00000003", "error", stateOf(3, "error")},
		{"00000003", "", stateOf(3, "deleted")},
	} {
		changed := maps.Clone(all)
		changed[key+test.key] = test.object
		if got := statuses(changed); got != test.want {
			t.Errorf("with %s %s: %q, want %q", test.key, test.object, got, test.want)
		}
	}
}

func TestWhatACheckpointHasLostIsToldByTheReader(t *testing.T) {
	for _, test := range []struct {
		folder string
		by     []string
		lost   string // a part of its key
		want   string
	}{
		{listedFolder, nil, "", ""},
		{listedFolder, nil, "/documents/metadata", "documents/metadata is missing"},
		{listedFolder, nil, "/data/volume/manifest", "data/volume/manifest is missing"},
		{listedFolder, nil, "/contents/", "the list of contents is missing"},
		{listedFolder + "-sealed", []string{"--key-file", sealedKeyFile}, "", ""},
		{listedFolder + "-sealed", []string{"--key-file", sealedKeyFile}, "/documents/metadata", "documents/metadata is missing"},
		{listedFolder + "-sealed", nil, "/documents/metadata", ""}, // nobody can tell
		{clearFolder, nil, "/documents/metadata", ""},              // it has no list
	} {
		t.Run(filepath.Base(test.folder)+test.lost, func(t *testing.T) {
			bank := filepath.Join(t.TempDir(), "bank")
			check(t, os.CopyFS(bank, os.DirFS(test.folder)))
			removed := 0
			check(t, filepath.WalkDir(bank, func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() || test.lost == "" || !strings.Contains(filepath.ToSlash(path), sealedPrefix) || !strings.Contains(filepath.ToSlash(path), test.lost) {
					return err
				}
				removed++
				return os.Remove(path)
			}))
			if test.lost != "" && removed != 1 {
				t.Fatalf("%d objects were removed", removed)
			}
			err := run(append([]string{"--bank", bank, "--checkpoint", filepath.Base(sealedPrefix)}, test.by...), io.Discard)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("it says %v, want %q", err, test.want)
			}
		})
	}
}

// TestReaderTakesASecondLookBeforeItMissesSomething: whoever deletes a checkpoint writes a state first, which a listing may
// not show yet.
func TestReaderTakesASecondLookBeforeItMissesSomething(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(all memory, s state)
		missed    bool
	}{
		"nothing":          {func(memory, state) {}, true},
		"the next state":   {func(all memory, s state) { all[s.key(s.number+1)] = []byte("{}") }, false},
		"a later state":    {func(all memory, s state) { all[s.key(s.number+2)] = []byte("{}") }, true},
		"no state":         {func(all memory, s state) { delete(all, s.key(s.number)) }, false},
		"another's state":  {func(all memory, s state) { s.project = "other"; all[s.key(s.number+1)] = []byte("{}") }, true},
		"an earlier state": {func(all memory, s state) { delete(all, s.key(1)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			all := memory{}
			from, err := openFolder(listedFolder)
			check(t, err)
			keys, err := from.list("v1/")
			check(t, err)
			for _, key := range keys {
				if all[key], err = readWhole(from, key, maxSealed); err != nil {
					t.Fatal(err)
				}
			}
			found, err := states(all)
			check(t, err)
			s := found[slices.IndexFunc(found, func(s state) bool { return s.checkpoint == filepath.Base(sealedPrefix) })]
			v := &vault{from: all}
			check(t, v.whole(s))
			for key := range all {
				if strings.HasSuffix(key, "/documents/metadata") {
					delete(all, key)
				}
			}
			test.meanwhile(all, s)
			if err := v.whole(s); (err != nil) != test.missed {
				t.Errorf("it says %v", err)
			}
		})
	}
}
