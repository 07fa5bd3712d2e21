package failure

import (
	"fmt"
	"syscall"
)

// mountDisk puts a file system of the size on a folder, for this process only.
func mountDisk(path string, size int64) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	return syscall.Mount("none", path, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size))
}

// ownDisks gives what a process needs to mount something for itself, without being
// root.
func ownDisks(uid, gid int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}},
	}
}
