package file_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/file"
)

func TestFileIsABankWhateverTheFileSystemPromises(t *testing.T) {
	for name, ordered := range map[string]bool{"ordered": true, "not ordered": false} {
		t.Run(name, func(t *testing.T) {
			banktest.Run(t, func(t *testing.T) bank.Bank {
				b := openAt(t, t.TempDir())
				b.Order(ordered)
				return b
			})
		})
	}
}

func TestWritesThatAreFollowedAreMadeDurableByWhatFollows(t *testing.T) {
	tests := []struct {
		name                    string
		ordered, followed       bool
		empty, document, folder int64
	}{
		// The first empty object is a new file, the second a link to it.
		{"ordered, followed", true, true, 0, 1, 1},
		{"ordered", true, false, 3, 2, 2},
		{"not ordered, followed", false, true, 3, 2, 4},
		{"not ordered", false, false, 3, 2, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := openAt(t, t.TempDir())
			b.Order(test.ordered)
			ctx := t.Context()
			if test.followed {
				ctx = bank.Followed(ctx)
			}
			if err := b.Create(t.Context(), "a/there", bytes.NewReader([]byte("x")), 1); err != nil {
				t.Fatal(err)
			}
			for _, part := range []struct {
				keys []string
				body string
				want int64
			}{
				{[]string{"a/empty", "a/other"}, "", test.empty},
				{[]string{"a/document"}, "text", test.document},
				{[]string{"a/b/c/document"}, "text", test.folder},
			} {
				before := b.Synced()
				for _, key := range part.keys {
					create(ctx, t, b, key, part.body)
				}
				if got := b.Synced() - before; got != part.want {
					t.Errorf("%v took %d syncs, want %d", part.keys, got, part.want)
				}
			}
		})
	}
}

func create(ctx context.Context, t *testing.T, b bank.Bank, key, body string) {
	t.Helper()
	if err := b.Create(ctx, key, bytes.NewReader([]byte(body)), int64(len(body))); err != nil {
		t.Fatal(err)
	}
}

func TestJournalsAreToldByTheOptionsOfTheFileSystem(t *testing.T) {
	for options, want := range map[string]bool{
		"rw\nnojournal_checksum\ndelalloc\n":            false,
		"rw\njournal_checksum\nbarrier\ndata=ordered\n": true,
		"rw\ndata=journal\n":                            true,
		"rw\ndata=ordered\nfast_commit\n":               false,
		"":                                              false,
		"rw\nresuid=0\ninit_itable=10\nmax_dir_size_kb=0": false,
	} {
		if got := file.Journals(options); got != want {
			t.Errorf("%q: %t", options, got)
		}
	}
}
