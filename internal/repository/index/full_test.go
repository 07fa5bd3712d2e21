package index

import (
	"errors"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/dedup/indextest"
	"github.com/karbor/karbor/internal/repository/format"
)

func TestAFullDiskKeepsTheIndexInMemory(t *testing.T) {
	folder, b, all := filepath.Join(t.TempDir(), "cache"), &bankSegments{}, map[format.Name]format.Pack{}
	var full atomic.Bool
	hook := func(operation, _ string) error {
		if full.Load() && (operation == "create" || operation == "write") {
			return syscall.ENOSPC
		}
		return nil
	}
	x, err := Open(t.Context(), Options{Folder: folder, Repository: repository, Memtable: 8, hook: hook})
	if err != nil {
		t.Fatal(err)
	}
	put := func(i int) {
		p := indextest.Pack(format.Data, i, []int{4 * i, 4*i + 1, 4*i + 2, 4*i + 3})
		all[p.Name] = p
		b.put(&format.Segment{Packs: []format.Pack{p}})
	}
	full.Store(true)
	for i := range 8 { // 32 entries
		put(i)
		b.sync(t, x)
	}
	indextest.Check(t, x, all, 40)
	put(8)
	_, err = x.Sync(t.Context(), b)
	if _, is := errors.AsType[*FolderError](err); !is || !errors.Is(err, syscall.ENOSPC) || !karbor.IsTransient(err) {
		t.Errorf("with four times of what memory should hold: %v", err)
	}
	full.Store(false)
	b.sync(t, x)
	b.sync(t, x)
	indextest.Check(t, x, all, 40)
	closeIndex(t, x)
	x, b.loads = open(t, folder), 0
	b.sync(t, x)
	if b.loads != 0 {
		t.Errorf("%d segments were not kept when there was space again", b.loads)
	}
	indextest.Check(t, x, all, 40)
	closeIndex(t, x)
}
