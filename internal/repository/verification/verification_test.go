package verification

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func masterKey() (k format.Key) {
	copy(k[:], "a master key for tests, 32 bytes")
	return k
}

const project = "0123456789abcdef0123456789abcdef"

// manifestOf is the key of a stream's manifest, as the service has it.
func manifestOf(checkpoint, volume int) string {
	return fmt.Sprintf("v1/checkpoints/%s/00000000-0000-4000-8000-%012d/nodes/volume/00000000-0000-4000-9000-%012d/data/data/manifest",
		project, checkpoint, volume)
}

func newDomain(t testing.TB, b bank.Bank) *dedup.Domain {
	t.Helper()
	d, err := dedup.Create(t.Context(), b, project, masterKey(), created, dedup.Options{Compression: format.Zstd, Workers: 1, Index: dedup.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// reopen opens the domain with nothing but the bank.
func reopen(t testing.TB, b bank.Bank) *dedup.Domain {
	t.Helper()
	d, err := dedup.Open(t.Context(), b, project, masterKey(), dedup.Options{Compression: format.Zstd, Workers: 1, Index: dedup.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.LoadIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// text gives bytes that compress to little.
func text(seed uint64, n int) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(seed, 0))
	for b.Len() < n {
		b.WriteString(strings.Repeat(strconv.FormatUint(r.Uint64(), 36), 400))
	}
	return b.Bytes()[:n]
}

func write(t testing.TB, d *dedup.Domain, key string, data []byte) {
	t.Helper()
	w, err := d.Writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

// readable reports whether a stream reads as what was written.
func readable(ctx context.Context, d *dedup.Domain, key string, data []byte) bool {
	r, err := d.Reader(ctx, key, 0)
	if err != nil {
		return false
	}
	got, err := io.ReadAll(r)
	_ = r.Close()
	return err == nil && bytes.Equal(got, data)
}

func options(depth Depth) Options {
	return Options{Depth: depth, Workers: 1, Now: func() time.Time { return created }}
}

func domain(t testing.TB, d *dedup.Domain, o Options) *Result {
	t.Helper()
	r, err := Domain(t.Context(), d, project, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// object gives the bytes of an object.
func object(t testing.TB, b bank.Bank, key string) []byte {
	t.Helper()
	r, err := b.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func put(t testing.TB, b bank.Bank, key string, data []byte) {
	t.Helper()
	if err := b.Put(t.Context(), key, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
}

func keys(t testing.TB, b bank.Bank, prefix string) []string {
	t.Helper()
	infos, err := b.List(t.Context(), prefix, "", bank.MaxList)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(infos))
	for i := range infos {
		out[i] = infos[i].Key
	}
	return out
}

// small is a repository of three streams, of which two share a part, in a bank in memory.
type small struct {
	bank    *banktest.Memory
	streams map[string][]byte
}

func newSmall(t testing.TB) *small {
	t.Helper()
	s := &small{bank: banktest.NewMemory(), streams: map[string][]byte{}}
	d := newDomain(t, s.bank)
	shared := text(1, 40<<10)
	for i, data := range [][]byte{
		slices.Concat(shared, text(2, 20<<10)), slices.Concat(shared, text(3, 18<<10), make([]byte, 200<<10)), {7},
	} {
		key := manifestOf(i, i)
		s.streams[key] = data
		write(t, d, key, data)
	}
	return s
}

func TestASoundRepositoryIsFoundSoundAtEveryDepth(t *testing.T) {
	s := newSmall(t)
	d := reopen(t, s.bank)
	for _, depth := range depths() {
		o := options(depth)
		var last Progress
		o.Progress = func(p Progress) { last = p }
		r := domain(t, d, o)
		if !r.Good() || r.Streams != 3 || r.Packs == 0 || last.Done != last.Total || last.Packs != r.Packs || last.OfPacks != r.Packs {
			t.Errorf("%s: %+v, %+v", depth, r, last)
		}
	}
	r, err := Keyless(t.Context(), s.bank, project, options(""))
	if err != nil || !r.Good() || r.Packs == 0 {
		t.Errorf("without a key: %+v, %v", r, err)
	}
}

// finds are the depths that find a change of an object, of those that look at it.
func finds(t *testing.T, s *small) map[Depth]bool {
	t.Helper()
	out := map[Depth]bool{}
	d, err := dedup.Open(t.Context(), s.bank, project, masterKey(), dedup.Options{Workers: 1, Index: dedup.NewMemory()})
	if err != nil {
		return map[Depth]bool{Quick: true, Stored: true, Full: true} // the domain doesn't even open
	}
	if _, err := d.LoadIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, depth := range depths() {
		out[depth] = !domain(t, d, options(depth)).Good()
	}
	return out
}

// figures tells where in a manifest its figures are: they say what the stream cost when it
// was written, and nothing of its bytes.
func figures(manifest []byte) (from, to int) {
	from = bytes.Index(manifest, []byte(`,"new":`))
	if from < 0 {
		return 0, 0
	}
	return from, len(manifest) - 1
}

func TestEveryChangedByteIsFound(t *testing.T) {
	s := newSmall(t)
	objects, flips := 0, 0
	for _, key := range keys(t, s.bank, "") {
		objects++
		good := object(t, s.bank, key)
		from, to := figures(good)
		for i := range good {
			if i >= from && i < to {
				continue
			}
			bad := slices.Clone(good)
			bad[i] ^= 1 << (i % 8)
			put(t, s.bank, key, bad)
			found := finds(t, s)
			flips++
			if !found[Stored] || !found[Full] || !found[Quick] && !strings.Contains(key, "/packs/") && !strings.Contains(key, "/pages/") {
				t.Fatalf("byte %d of %s was changed, and found by %v", i, key, found)
			}
			if strings.Contains(key, "/packs/") || strings.Contains(key, "/index/") {
				if r, err := Keyless(t.Context(), s.bank, project, options("")); err != nil || r.Good() {
					t.Fatalf("byte %d of %s was changed, and not found without a key: %v", i, key, err)
				}
			}
		}
		put(t, s.bank, key, good)
	}
	t.Logf("%d bytes of %d objects", flips, objects)
	if r := domain(t, reopen(t, s.bank), options(Full)); !r.Good() {
		t.Errorf("the repository is not what it was: %+v", r)
	}
}
