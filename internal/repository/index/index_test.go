package index

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/dedup/indextest"
	"github.com/karbor/karbor/internal/repository/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var repository = format.RepositoryID{1, 2, 3}

// open opens a folder with a memtable so small that runs are written and merged all the time.
func open(t rapid.TB, folder string) *Index {
	t.Helper()
	x, err := Open(context.Background(), Options{Folder: folder, Repository: repository, Memtable: 8})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func closeIndex(t rapid.TB, x *Index) {
	t.Helper()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	indextest.Run(t, func(t *testing.T) dedup.Index {
		folder, err := os.MkdirTemp(t.TempDir(), "index")
		if err != nil {
			t.Fatal(err)
		}
		return open(t, folder)
	})
}

// bankSegments are the segments of a bank in memory.
type bankSegments struct {
	names []format.Name
	all   map[format.Name]*format.Segment
	loads int
	// synced is how many there were when a Sync had ended.
	synced int
	// damaged ones are listed and can't be read.
	damaged map[format.Name]bool
}

func (b *bankSegments) List(context.Context) ([]format.Name, error) {
	return slices.Clone(b.names), nil
}

func (b *bankSegments) Load(_ context.Context, name format.Name) (*format.Segment, error) {
	b.loads++
	if b.damaged[name] {
		return nil, &format.DamageError{What: "index segment"}
	}
	if s := b.all[name]; s != nil {
		return s, nil
	}
	return nil, karbor.Errorf(karbor.NotFound, "no segment %s", name)
}

// put writes a segment.
func (b *bankSegments) put(s *format.Segment) format.Name {
	name := format.Name{byte(len(b.all)), byte(len(b.all) >> 8), 0xee}
	if b.all == nil {
		b.all = map[format.Name]*format.Segment{}
	}
	b.all[name] = s
	b.names = append(b.names, name)
	return name
}

func (b *bankSegments) sync(t rapid.TB, x *Index) {
	t.Helper()
	if damaged, err := x.Sync(context.Background(), b); err != nil || len(damaged) != 0 {
		t.Fatal(damaged, err)
	}
}

func TestAReopenedCacheReadsOnlyNewSegments(t *testing.T) {
	folder, b := t.TempDir(), &bankSegments{}
	p, q := indextest.Pack(format.Data, 1, []int{1, 2}), indextest.Pack(format.Data, 2, []int{3})
	b.put(&format.Segment{Packs: []format.Pack{p}})
	x := open(t, folder)
	b.sync(t, x)
	closeIndex(t, x)
	b.put(&format.Segment{Packs: []format.Pack{q}})
	x = open(t, folder)
	defer closeIndex(t, x)
	indextest.Check(t, x, packs(p), 5)
	b.sync(t, x)
	indextest.Check(t, x, packs(p, q), 5)
	if b.loads != 2 {
		t.Errorf("%d segments were read, want 2", b.loads)
	}
}

func packs(list ...format.Pack) map[format.Name]format.Pack {
	m := map[format.Name]format.Pack{}
	for _, p := range list {
		m[p.Name] = p
	}
	return m
}

func TestPacksThatTheReplacingSegmentLeavesOutAreForgotten(t *testing.T) {
	p, q := indextest.Pack(format.Data, 1, []int{1, 2}), indextest.Pack(format.Data, 2, []int{3})
	for _, removed := range []bool{false, true} {
		b, x := &bankSegments{}, open(t, t.TempDir())
		old := b.put(&format.Segment{Packs: []format.Pack{p, q}})
		b.sync(t, x)
		b.put(&format.Segment{Replaces: []format.Name{old}, Packs: []format.Pack{q}})
		if removed {
			b.names = b.names[1:]
		}
		b.sync(t, x)
		indextest.Check(t, x, packs(q), 5)
		loads := b.loads
		b.sync(t, x)
		if b.loads != loads {
			t.Error("a known segment was read again")
		}
		closeIndex(t, x)
	}
}

func TestPacksOfASegmentThatIsListedNoMoreAreForgotten(t *testing.T) {
	b, x := &bankSegments{}, open(t, t.TempDir())
	defer closeIndex(t, x)
	p, q := indextest.Pack(format.Data, 1, []int{1}), indextest.Pack(format.Data, 2, []int{2})
	b.put(&format.Segment{Packs: []format.Pack{p}})
	b.sync(t, x)
	// Our own, that the listing does not show yet, stays.
	if err := errors.Join(x.Add([]format.Pack{q}), x.AddSegment(format.Name{9}, &format.Segment{Packs: []format.Pack{q}})); err != nil {
		t.Fatal(err)
	}
	b.names = nil
	b.sync(t, x)
	indextest.Check(t, x, packs(q), 3)
}

func TestPacksThatNoSegmentNamesAreForgottenAtTheNextStart(t *testing.T) {
	folder := t.TempDir()
	x := open(t, folder)
	p, q := indextest.Pack(format.Data, 1, []int{1}), indextest.Pack(format.Data, 2, []int{2})
	if err := errors.Join(x.Add([]format.Pack{p, q}), x.AddSegment(format.Name{9}, &format.Segment{Packs: []format.Pack{q}})); err != nil {
		t.Fatal(err)
	}
	indextest.Check(t, x, packs(p, q), 3)
	closeIndex(t, x)
	x = open(t, folder)
	defer closeIndex(t, x)
	indextest.Check(t, x, packs(q), 3)
}

func TestADamagedSegmentIsToldBesideTheOthersSuccess(t *testing.T) {
	b, x := &bankSegments{damaged: map[format.Name]bool{}}, open(t, t.TempDir())
	defer closeIndex(t, x)
	p := indextest.Pack(format.Data, 1, []int{1})
	b.damaged[b.put(&format.Segment{})] = true
	b.put(&format.Segment{Packs: []format.Pack{p}})
	damaged, err := x.Sync(t.Context(), b)
	if err != nil || len(damaged) != 1 {
		t.Fatal(damaged, err)
	}
	indextest.Check(t, x, packs(p), 3)
}

func TestASegmentThatGoesWhileItIsReadIsNoError(t *testing.T) {
	b, x := &bankSegments{}, open(t, t.TempDir())
	defer closeIndex(t, x)
	p := indextest.Pack(format.Data, 1, []int{1})
	name := b.put(&format.Segment{Packs: []format.Pack{p}})
	late := &lateSegments{bankSegments: b, gone: format.Name{7}}
	if damaged, err := x.Sync(t.Context(), late); err != nil || damaged != nil {
		t.Fatal(damaged, err)
	}
	indextest.Check(t, x, packs(p), 3)
	if late.lists != 2 || name == late.gone {
		t.Errorf("listed %d times", late.lists)
	}
}

// lateSegments lists, the first time, one that is gone.
type lateSegments struct {
	*bankSegments
	gone  format.Name
	lists int
}

func (l *lateSegments) List(ctx context.Context) ([]format.Name, error) {
	names, err := l.bankSegments.List(ctx)
	if l.lists++; l.lists == 1 {
		names = append(names, l.gone)
	}
	return names, err
}

func TestASecondIndexOnAFolderIsRefused(t *testing.T) {
	folder := t.TempDir()
	x := open(t, folder)
	if _, err := Open(t.Context(), Options{Folder: folder, Repository: repository}); karbor.KindOf(err) != karbor.Conflict {
		t.Errorf("got %v", err)
	}
	closeIndex(t, x)
	closeIndex(t, open(t, folder))
}

func TestTheCacheOfAnotherRepositoryIsThrownAway(t *testing.T) {
	folder, b := t.TempDir(), &bankSegments{}
	p := indextest.Pack(format.Data, 1, []int{1, 2})
	b.put(&format.Segment{Packs: []format.Pack{p}})
	x := open(t, folder)
	b.sync(t, x)
	closeIndex(t, x)
	x, err := Open(t.Context(), Options{Folder: folder, Repository: format.RepositoryID{9}})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIndex(t, x)
	indextest.Check(t, x, nil, 3)
	if names := fileNames(t, folder); !slices.Equal(names, []string{"lock"}) {
		t.Errorf("left over: %v", names)
	}
}

func TestFilesAreOfTheOwnerOnly(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	x := open(t, folder)
	if err := x.Add([]format.Pack{indextest.Pack(format.Data, 1, []int{1, 2})}); err != nil {
		t.Fatal(err)
	}
	closeIndex(t, x)
	for _, name := range fileNames(t, folder) {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v, error %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has the mode %v, error %v", info.Mode(), err)
	}
}

func fileNames(t rapid.TB, folder string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestCallsAfterCloseAreRefused(t *testing.T) {
	x := open(t, t.TempDir())
	closeIndex(t, x)
	closeIndex(t, x)
	_, _, err := x.Find(format.Data, format.ID{})
	for _, err := range []error{err, x.Add([]format.Pack{{}}), x.Remove(nil), x.AddSegment(format.Name{}, &format.Segment{})} {
		if karbor.KindOf(err) != karbor.Conflict {
			t.Errorf("got %v", err)
		}
	}
}

func TestMergesKeepRunsFewAndDropRemovedPacks(t *testing.T) {
	x := open(t, t.TempDir())
	var names []format.Name
	known := map[format.Name]format.Pack{}
	for i := range 300 {
		p := indextest.Pack(format.Data, i, []int{2 * i, 2*i + 1, 2*i + 2})
		if err := x.Add([]format.Pack{p}); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			names = append(names, p.Name)
		} else {
			known[p.Name] = p
		}
	}
	if err := x.Remove(names); err != nil {
		t.Fatal(err)
	}
	for _, from, to := x.plan(); from != to; _, from, to = x.plan() {
		<-x.merged
	}
	indextest.Check(t, x, known, 610)
	s := x.Stats()
	if s.Runs >= crowded || s.Entries > 4*3*150/3 || s.Packs != 150 {
		t.Errorf("got %+v", s)
	}
	runs := len(x.runs)
	closeIndex(t, x)
	files := 0
	for _, name := range fileNames(t, x.options.Folder) {
		if strings.HasPrefix(name, "run-") {
			files++
		}
	}
	if files > runs+1 { // and what was in memory
		t.Errorf("%d files for %d runs", files, runs)
	}
}
