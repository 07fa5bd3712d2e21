package file_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/bank/file"
)

// smallDisk, when set, makes this program run the named test in a folder that has a
// disk of its own.
const smallDisk = "KARBOR_TEST_SMALL_DISK"

// onSmallDisk runs a test once more, in a process that has a small disk at dir.
func onSmallDisk(t *testing.T, test func(t *testing.T, dir string)) {
	t.Helper()
	if dir := os.Getenv(smallDisk); dir != "" {
		if err := errors.Join(syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""),
			syscall.Mount("none", dir, "tmpfs", 0, "size=3m,mode=0700")); err != nil {
			t.Fatal(err)
		}
		test(t, dir)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// fillUp puts objects until there is no room, and gives their number.
func fillUp(t *testing.T, b bank.Bank) int {
	t.Helper()
	for i := 0; ; i++ {
		text := strings.Repeat("x", 60<<10)
		err := b.Put(t.Context(), fmt.Sprintf("data/%03d", i), strings.NewReader(text), int64(len(text)))
		if karbor.KindOf(err) == karbor.OverLimit {
			return i
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullBankHasRoomForUrgentWritesAndTakesNoOthers(t *testing.T) {
	onSmallDisk(t, func(t *testing.T, dir string) {
		b := openAt(t, dir)
		// What others keep on the disk.
		fillUp(t, b)
		ballast, err := os.Create(filepath.Join(dir, "ballast"))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = ballast.Write([]byte("x"))
		}
		_ = ballast.Close()
		urgent := bank.Urgent(t.Context())
		for i := range 50 {
			if err := b.Create(urgent, fmt.Sprintf("leases/me/%d", i), strings.NewReader("renewed"), 7); err != nil {
				t.Fatalf("urgent write %d: %v", i, err)
			}
			if err := b.Create(urgent, fmt.Sprintf("claims/%d", i), strings.NewReader(""), 0); err != nil {
				t.Fatalf("urgent write %d: %v", i, err)
			}
			// What was given for it is not for everybody.
			if err := b.Put(t.Context(), "small", strings.NewReader("x"), 1); karbor.KindOf(err) != karbor.OverLimit {
				t.Fatalf("after urgent write %d the full bank takes another: %v", i, err)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		// A full bank opens, and has still room.
		b = openAt(t, dir)
		defer func() { _ = b.Close() }()
		if err := b.Create(urgent, "leases/me/next", strings.NewReader("renewed"), 7); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
			t.Fatal(err)
		}
		for i := range 15 {
			if err := b.Delete(t.Context(), fmt.Sprintf("data/%03d", i)); err != nil {
				t.Fatal(err)
			}
		}
		banktest.Store(t, b, "small", "x")
		if info, err := os.Stat(filepath.Join(dir, "=reserve")); err != nil || info.Size() != file.ReserveSize {
			t.Errorf("with room again, the reserve is %v, %v", info, err)
		}
	})
}
