package file

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
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
		return durability{names: true, ordered: journalled(device)}
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

// journalled reports whether the ext4 on a device has a journal that takes whole
// transactions.
func journalled(device string) bool {
	path, err := os.Readlink("/sys/dev/block/" + device)
	if err != nil {
		return false
	}
	options, err := os.ReadFile("/proc/fs/ext4/" + filepath.Base(path) + "/options")
	return err == nil && journals(string(options))
}

// journals reads the options of a mounted ext4: how data and journal go together is said
// only where there is a journal. Fast commits write less than whole transactions.
func journals(options string) bool {
	found := false
	for line := range strings.Lines(options) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "fast_commit") {
			return false
		}
		found = found || strings.HasPrefix(line, "data=")
	}
	return found
}
