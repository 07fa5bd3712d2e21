package file

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// durabilityOf finds out what the file system of a folder promises.
//
// POSIX does not ask for names, and the manual page fsync(2) warns of it; but in xfs,
// and in ext4 with a journal, the making of the file and of its name are one
// transaction, which the sync waits for; and ext4 without a journal writes the folders of
// a new file with it (ext4_sync_parent in fs/ext4/fsync.c, since Linux 2.6.34).
//
// In xfs, and in ext4 with a journal, there is one log for all folders. A sync of a
// folder waits until the transaction that has changed it is in the log, and with it all
// that came before; and after a crash the log is replayed from its beginning up to where
// it ends.
func durabilityOf(folder *os.File) durability {
	var stat unix.Stat_t
	if err := unix.Fstat(int(folder.Fd()), &stat); err != nil {
		return durability{}
	}
	device := fmt.Sprintf("%d:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev))
	switch fileSystem(device) {
	case "ext4":
		return durability{names: true, ordered: journalled(device, folder)}
	case "xfs":
		return durability{names: true, ordered: true}
	}
	return durability{}
}

// fileSystem gives the kind of the file system on a device, or "".
func fileSystem(device string) string {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer func() { _ = mounts.Close() }()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		// See proc(5): the third field is the device, and the type is behind the dash.
		front, back, _ := strings.Cut(lines.Text(), " - ")
		if f := strings.Fields(front); len(f) < 3 || f[2] != device {
			continue
		}
		kind, _, _ := strings.Cut(back, " ")
		return kind
	}
	return ""
}

// journalled reports whether the ext4 on a device, in which a folder lies, has a journal
// that takes whole transactions.
func journalled(device string, folder *os.File) bool {
	path, err := os.Readlink("/sys/dev/block/" + device)
	return err == nil && isWhole("/proc/fs/ext4/"+filepath.Base(path), folder)
}

// isWhole is journalled with what Linux tells of the file system: options, and fc_info for
// its fast commits, which write less than whole transactions. They are a feature of the
// file system and no option, and only their counts can be seen: so a file is synced first,
// which is counted where they are on, if only as one that could not be a fast one.
func isWhole(told string, folder *os.File) bool {
	options, err := os.ReadFile(told + "/options")
	if err != nil || !hasJournal(string(options)) {
		return false
	}
	counts := told + "/fc_info"
	if _, err := os.Stat(counts); errors.Is(err, fs.ErrNotExist) {
		return true // Linux before 5.10, which has no fast commits
	}
	for range 2 { // one that the journal's own commit comes before is not counted
		if syncNew(folder) != nil {
			return false
		}
	}
	text, err := os.ReadFile(counts)
	return err == nil && countsNone(string(text))
}

// hasJournal reads the options of a mounted ext4: how data and journal go together is said
// only where there is a journal.
func hasJournal(options string) bool { return strings.Contains("\n"+options, "\ndata=") }

// countsNone reads the counts of an ext4's fast commits since it was mounted.
func countsNone(counts string) bool {
	lines := strings.Split(counts, "\n")
	return slices.Contains(lines, "0 commits") && slices.Contains(lines, "0 ineligible")
}

// syncNew makes a file without a name in a folder, syncs it, and is done with it. The sync
// of a folder would not do: it is never a fast commit, and not counted.
func syncNew(folder *os.File) error {
	fd, err := unix.Openat(int(folder.Fd()), ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fsync(fd), unix.Close(fd))
}
