package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"hash"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

const (
	goldenFolder     = "testdata/golden/v1"
	goldenDomain     = "0123456789abcdef0123456789abcdef"
	goldenPassphrase = "correct horse battery staple, käse"
)

// The golden repository was written with go test ./test/reader -run Golden -update, which writes only what is not there:
// it is frozen.
var update = flag.Bool("update", false, "write the golden banks that are not there")

// A goldenStream is a line of streams.json.
type goldenStream struct {
	Manifest string `json:"manifest"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
}

func goldenStreams(t testing.TB) []goldenStream {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(goldenFolder, "streams.json"))
	if err != nil {
		t.Fatal(err)
	}
	var streams []goldenStream
	if err := json.Unmarshal(text, &streams); err != nil {
		t.Fatal(err)
	}
	return streams
}

// goldenBank gives the golden repository in memory.
func goldenBank(t testing.TB) memory {
	t.Helper()
	bank, err := openFolder(filepath.Join(goldenFolder, "bank"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bank.Close() }()
	all := memory{}
	names, err := bank.list("v1/")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range names {
		if all[key], err = readWhole(bank, key, packLimit); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// ways are the files of the ways in, by the option that takes them.
var ways = map[string]string{"master-key-file": "master-key", "key-file": "key", "recovery-file": "recovery-key",
	"passphrase-file": "passphrase"}

func goldenWay(t testing.TB, option string) way {
	t.Helper()
	path := filepath.Join(goldenFolder, ways[option])
	one, err := readWay(map[string]*string{option: &path})
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// A hashing sink tells size and digest.
type hashing struct {
	writerSink
	digest hash.Hash
	size   int64
}

func newHashing() *hashing {
	h := &hashing{digest: sha256.New()}
	h.writerSink = writerSink{h}
	return h
}

func (h *hashing) Write(content []byte) (int, error) {
	h.size += int64(len(content))
	return h.digest.Write(content)
}

func (h *hashing) stream(key string) goldenStream {
	return goldenStream{key, h.size, hex.EncodeToString(h.digest.Sum(nil))}
}

func TestGoldenRepositoryIsReadByEveryWayIn(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	bank := goldenBank(t)
	for option := range ways {
		for _, index := range []bool{false, true} {
			r, err := openRepository(bank, goldenDomain, goldenWay(t, option))
			if err != nil {
				t.Fatalf("%s: %v", option, err)
			}
			r.useIndex = index
			for _, want := range goldenStreams(t) {
				if want.Size > 100<<20 && option != "key-file" {
					continue // Hashing hundreds of megabytes of zeros once with, once without the index is enough.
				}
				got := newHashing()
				if err := r.stream(want.Manifest, got); err != nil {
					t.Errorf("%s: %s: %v", option, want.Manifest, err)
				}
				if diff := cmp.Diff(want, got.stream(want.Manifest)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", option, diff)
				}
			}
			if index && r.loadedPacks {
				t.Error("the index did not know all packs")
			}
			if len(r.notes) > 0 {
				t.Errorf("damage in the golden repository: %v", r.notes)
			}
		}
	}
}

func TestProductReadsTheGoldenRepository(t *testing.T) {
	dir := t.TempDir()
	// The product writes into a bank that it opens.
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(goldenFolder, "bank"))); err != nil {
		t.Fatal(err)
	}
	bank, err := file.Open(t.Context(), file.Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bank.Close() }()
	domain := openDomain(t, bank, format.Zstd)
	for _, want := range goldenStreams(t) {
		reader, err := domain.Reader(t.Context(), want.Manifest, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := newHashing()
		_, err = io.Copy(got, reader)
		if err != nil || reader.Close() != nil {
			t.Errorf("%s: %v", want.Manifest, err)
		}
		if diff := cmp.Diff(want, got.stream(want.Manifest)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestProductOpensEveryGoldenSlot(t *testing.T) {
	bank := goldenBank(t)
	document, _, err := format.ParseDocument(bank["v1/repositories/"+goldenDomain+"/format"], goldenDomain)
	if err != nil {
		t.Fatal(err)
	}
	want := format.Key(goldenWay(t, "master-key-file").secret)
	prefix := "v1/repositories/" + goldenDomain + "/slots/"
	names, _ := bank.list(prefix)
	opened := map[format.SlotKind]bool{}
	for _, key := range names {
		one, err := format.ParseSlot(bank[key], key[len(prefix):])
		if err != nil {
			t.Fatal(err)
		}
		var wrapping format.Key
		switch one.Kind {
		case format.PassphraseSlot:
			wrapping, err = one.PassphraseKey(string(goldenWay(t, "passphrase-file").secret))
		case format.FileSlot:
			wrapping = format.Key(goldenWay(t, "key-file").secret)
		case format.RecoverySlot:
			wrapping = format.RecoveryKey(format.Key(goldenWay(t, "recovery-file").secret))
		default:
			t.Fatal("another kind: ", one.Kind)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := one.Unwrap(document, wrapping)
		if err != nil || got != want {
			t.Errorf("the slot of the kind %s does not open: %v", one.Kind, err)
		}
		opened[one.Kind] = true
	}
	if len(opened) != 3 {
		t.Errorf("opened: %v", opened)
	}
}

func TestGoldenRepositoryHasEverythingInIt(t *testing.T) {
	bank := goldenBank(t)
	r, err := openRepository(bank, goldenDomain, goldenWay(t, "master-key-file"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.loadPacks(); err != nil {
		t.Fatal(err)
	}
	compressions := map[byte]bool{}
	severalGroups := false
	for _, places := range r.places[dataKind] {
		at := places[0]
		severalGroups = severalGroups || at.group.offset > packHead
		content, err := openBox(r.keys.group, "karbor/1 data group",
			bank[at.key][at.group.offset:at.group.offset+at.group.stored])
		if err != nil {
			t.Fatal(err)
		}
		compressions[content[0]] = true
	}
	if diff := cmp.Diff(map[byte]bool{0: true, 1: true, 2: true}, compressions); diff != "" {
		t.Errorf("compressions (-want +got):\n%s", diff)
	}
	if !severalGroups {
		t.Error("no pack has several groups")
	}
	names, _ := bank.list(r.prefix + "index/")
	replacing, there := 0, 0
	for _, key := range names {
		one, err := r.keys.openSegment(bank[key], sha256.Sum256(bank[key]))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range one.replaces {
			replacing++
			if bank[r.prefix+"index/"+hex.EncodeToString(name[:])] != nil {
				there++
			}
		}
	}
	if replacing != 2 || there != 1 {
		t.Errorf("%d segments are replaced, of which %d are there still", replacing, there)
	}
	total := 0
	for _, content := range bank {
		total += len(content)
	}
	if total > 300_000 {
		t.Errorf("the golden repository has %d bytes", total)
	}
}

func TestMainGivesAStream(t *testing.T) {
	var out bytes.Buffer
	want := goldenStreams(t)[1]
	err := run([]string{"--bank", filepath.Join(goldenFolder, "bank"), "--domain", goldenDomain, "--index",
		"--recovery-file", filepath.Join(goldenFolder, "recovery-key"), "--manifest", want.Manifest}, &out)
	if err != nil {
		t.Fatal(err)
	}
	got := newHashing()
	_, _ = got.Write(out.Bytes())
	if diff := cmp.Diff(want, got.stream(want.Manifest)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out.Reset()
	if err := run([]string{"--help"}, &out); err != nil || out.String() != usage {
		t.Errorf("--help gives %q, %v", out.String(), err)
	}
	if err := run([]string{"--bank", "b", "--domain", "d", "--manifest", "m"}, &out); err == nil {
		t.Error("without a way in there is no error")
	}
}

// openDomain opens the golden domain with the product.
func openDomain(t testing.TB, bank *file.Bank, way format.Compression) *dedup.Domain {
	t.Helper()
	master := format.Key(goldenWay(t, "master-key-file").secret)
	domain, err := dedup.Open(t.Context(), bank, goldenDomain, master, dedup.Options{Compression: way, Workers: 1,
		Index: dedup.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	if damaged, err := domain.LoadIndex(t.Context()); err != nil || damaged != nil {
		t.Fatal(err, damaged)
	}
	return domain
}
