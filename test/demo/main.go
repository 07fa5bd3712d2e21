// Demo shows Karbor's main job: as an ordinary tenant and through public APIs
// only it creates a small application in a cloud, protects it, changes it a little,
// protects it again, which must add little to the bank, destroys it,
// restores it, and compares every byte and every kept property, with digests
// that it takes from the cloud itself. Its exit code is 0 only if all is equal.
//
// With --karbord it starts its own "karbord dev", which brings a simulated
// cloud along. With --openrc it works on a real cloud, where karbord runs
// already, or is started by the demo when --karbord and --config are given too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

type settings struct {
	karbord, karbor  string
	config           string
	openrc, endpoint string
	provider         string
	selftest, crash  bool
	keep, proof      bool
}

func main() {
	var s settings
	flag.StringVar(&s.karbord, "karbord", "", "the karbord program; it is started, without --openrc with a simulated cloud")
	flag.StringVar(&s.config, "config", "", "with --karbord and --openrc: karbord's configuration file")
	flag.StringVar(&s.karbor, "karbor", "karbor", "the karbor program")
	flag.StringVar(&s.openrc, "openrc", "", "the tenant's openrc of a real cloud")
	flag.StringVar(&s.endpoint, "endpoint", "", "with --openrc: Karbor's URL, if the catalogue has none")
	flag.StringVar(&s.provider, "provider", "", "the provider's name or id (default: the first that is not noop)")
	flag.BoolVar(&s.selftest, "selftest", false, "plant a wrong byte and wrong properties, and expect that all are seen")
	flag.BoolVar(&s.crash, "crash", false, "kill karbord in mid-protect and in mid-restore, and start it again")
	flag.BoolVar(&s.proof, "proof", false, "damage the bank, and then remove it: the copy in another bank must serve")
	flag.BoolVar(&s.keep, "keep", false, "keep the state folder, or on a real cloud the application")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out io.Writer) (err error) {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case s.karbord == "" && s.openrc == "":
		return errors.New("give --karbord, --openrc or both")
	case (s.config != "") != (s.karbord != "" && s.openrc != ""):
		return errors.New("--config goes with --karbord and --openrc")
	case s.crash && s.karbord == "":
		return errors.New("--crash needs --karbord")
	case s.proof && (s.openrc != "" || s.crash || s.selftest):
		return errors.New("--proof is for the simulated cloud, and by itself")
	}
	dir, err := os.MkdirTemp("", "karbor-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return fmt.Errorf("making the log: %w", err)
	}
	story := &story{settings: s, dir: dir, log: log, out: &printer{w: out}}
	err = errors.Join(story.tell(ctx), log.Close())
	if err != nil {
		return fmt.Errorf("%w\nthe log is %s", err, log.Name())
	}
	if s.keep {
		story.out.line("the state is kept in " + dir)
		return nil
	}
	return os.RemoveAll(dir)
}
