// Load asks a karbord for more than it can give, or for very long, and says whether
// it bears it. It starts "karbord dev" on a folder on the disk, and talks to its API as
// a tenant does, with a token that the service has seen, over connections that stay.
//
//	load --karbord bin/karbord saturation
//	load --karbord bin/karbord endurance
//
// saturation finds how many requests a second the service answers at most, offers it
// twice as many, whatever it answers, and looks at how it sheds. endurance makes a
// million requests and looks at the memory. The exit code is 0 only if all holds.
//
// Where the machine has more than one processor, the service and the load have half of
// them each, so that neither takes the other's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings are the command line's.
type settings struct {
	karbord, folder string
	// round is the time of one measurement, overload that at twice the saturation.
	round, overload time.Duration
	connections     int
	factor          float64
	requests        int
	shared          bool
}

// errVerdict is the end of a run that has shown that something does not hold.
var errVerdict = errors.New("it does not hold")

func main() {
	var s settings
	flag.StringVar(&s.karbord, "karbord", "bin/karbord", "the karbord program")
	flag.StringVar(&s.folder, "folder", "", "folder on the disk for the service's state (default: a temporary one)")
	flag.DurationVar(&s.round, "round", 10*time.Second, "time of one measurement")
	flag.DurationVar(&s.overload, "overload", time.Minute, "time of the overload")
	flag.IntVar(&s.connections, "connections", 512, "connections of the overload")
	flag.Float64Var(&s.factor, "factor", 2, "the overload, in saturations")
	flag.IntVar(&s.requests, "requests", 1_000_000, "requests of endurance")
	flag.BoolVar(&s.shared, "shared-processors", false, "let the service and the load share all processors")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "load: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out io.Writer) (err error) {
	measure := map[string]func(context.Context, *site, settings, io.Writer) error{
		"saturation": saturation, "endurance": endurance,
	}[flag.Arg(0)]
	if measure == nil || flag.NArg() != 1 {
		return errors.New("say saturation or endurance")
	}
	if s.round <= 0 || s.overload <= 0 || s.connections < 1 || s.factor <= 0 || s.requests < 100 {
		return errors.New("times, connections and the factor must be more than 0, and requests 100 or more")
	}
	k, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	return measure(ctx, k, s, out)
}
