package extraction

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestDiskTakesWhatItCannotWritePastTheCache: neither a place nor a length that is no multiple, nor
// memory that begins anywhere, is in the way.
func TestDiskTakesWhatItCannotWritePastTheCache(t *testing.T) {
	buf, err := newBuffer(4 * grain)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := dropBuffer(buf); err != nil {
			t.Error(err)
		}
	}()
	for i := range buf {
		buf[i] = byte(i*7 + i>>8)
	}
	for name, x := range map[string]struct {
		part []byte
		at   int64
		// cached says that it can't have been written past the cache.
		cached bool
	}{
		"whole":         {buf, grain, false},
		"short":         {buf[:grain+77], grain, true},
		"unaligned":     {buf[:grain], 77, true},
		"inside a page": {buf[1 : 1+grain], grain, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
			if err != nil {
				t.Fatal(err)
			}
			d := newDisk(f)
			// What comes first and last goes the way that it can.
			for _, at := range []int64{x.at, 64 * grain} {
				if err := d.write(x.part, at); err != nil {
					t.Fatal(err)
				}
			}
			if x.cached && d.direct.Load() {
				t.Error("it still goes past the cache")
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(f.Name())
			if err != nil {
				t.Fatal(err)
			}
			if n := int64(len(x.part)); !bytes.Equal(text[x.at:x.at+n], x.part) || !bytes.Equal(text[64*grain:], x.part) {
				t.Error("other bytes were written")
			}
		})
	}
}
