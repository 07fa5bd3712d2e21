package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// startApart starts a command on the first half of the processors, and keeps this
// process on the others from then on. It says what it did.
func startApart(cmd *exec.Cmd) (string, error) {
	var all, service, load unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return "", fmt.Errorf("reading which processors there are: %w", err)
	}
	n := all.Count()
	if n < 2 {
		return "the service and the load share one processor", cmd.Start()
	}
	for cpu := 0; service.Count()+load.Count() < n; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		if service.Count() < n/2 {
			service.Set(cpu)
		} else {
			load.Set(cpu)
		}
	}
	// The command inherits what its thread has when it is started.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &service); err != nil {
		return "", fmt.Errorf("choosing the service's processors: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	runtime.GOMAXPROCS(load.Count())
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return "", fmt.Errorf("listing the threads: %w", err)
	}
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.SchedSetaffinity(id, &load) // a thread may have ended since
		}
	}
	return fmt.Sprintf("the service has %d of %d processors, the load the others", service.Count(), n), nil
}
