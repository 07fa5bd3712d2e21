package file_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
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
			syncs := b.CountSyncs()
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
				before := syncs.Load()
				for _, key := range part.keys {
					create(ctx, t, b, key, part.body)
				}
				if got := syncs.Load() - before; got != part.want {
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

// countsOf is what Linux tells of fast commits in /proc/fs/ext4/<device>/fc_info.
func countsOf(commits, ineligible int) string {
	return fmt.Sprintf("fc stats:\n%d commits\n%d ineligible\n0 numblks\n0us avg_commit_time\n"+
		"Ineligible reasons:\n\"Extended attributes changed\":\t0\n\"Cross rename\":\t0\n", commits, ineligible)
}

func TestJournalsOfWholeTransactionsAreToldByWhatLinuxTells(t *testing.T) {
	const options = "rw\nbsddf\njournal_checksum\nbarrier\ncommit=5\ndata=ordered\ninit_itable=10\n"
	tests := []struct {
		name            string
		options, counts string // "" for a file that is not there
		want            bool
	}{
		{"no fast commits", options, countsOf(0, 0), true},
		{"a Linux without them", options, "", true},
		{"data in the journal", "rw\ndata=journal\n", countsOf(0, 0), true},
		{"no journal", "rw\nnojournal_checksum\nbarrier\nmax_dir_size_kb=0\n", countsOf(0, 0), false},
		{"the first sync, which can't be a fast one", options, countsOf(0, 1), false},
		{"fast commits", options, countsOf(3, 0), false},
		{"fast commits and others", options, countsOf(10, 20), false},
		{"something else", options, "none\n", false},
		{"half of it", options, "fc stats:\n0 commits\n", false},
		{"nothing told", "", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			told := t.TempDir()
			for name, text := range map[string]string{"options": test.options, "fc_info": test.counts} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(told, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			folder := openFolder(t, t.TempDir())
			if got := file.IsWhole(told, folder); got != test.want {
				t.Errorf("%t", got)
			}
			if names, err := folder.Readdirnames(-1); err != nil || len(names) != 0 {
				t.Errorf("it left %v: %v", names, err)
			}
		})
	}
}

func TestJournalsThatCannotBeLookedAtAreNotTrusted(t *testing.T) {
	told := t.TempDir()
	if err := os.WriteFile(filepath.Join(told, "options"), []byte("data=ordered\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	counts := filepath.Join(told, "fc_info")
	if err := os.Mkdir(counts, 0o700); err != nil {
		t.Fatal(err)
	}
	if file.IsWhole(told, openFolder(t, t.TempDir())) {
		t.Error("the counts can't be read")
	}
	if err := os.Remove(counts); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(counts, []byte(countsOf(0, 0)), 0o600); err != nil {
		t.Fatal(err)
	}
	closed := openFolder(t, t.TempDir())
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if file.IsWhole(told, closed) {
		t.Error("nothing can be synced")
	}
}

func openFolder(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
