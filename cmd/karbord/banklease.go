package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/karbor/karbor/internal/checkpoint"
)

// releaseTime bounds the last calls to a bank.
const releaseTime = 10 * time.Second

// acquire takes a lease of this process's own in the bank, and keeps it until release. What it
// gives may change checkpoints.
func (b *openedBank) acquire(ctx context.Context) (c *checkpoint.Checkpoints, release func() error, err error) {
	o := checkpoint.Options{Owner: processOwner(), Now: time.Now}
	if b.domains != nil {
		o.Sealer = b.domains
	}
	if c, err = checkpoint.Open(ctx, b.bank, o); err != nil {
		return nil, nil, err
	}
	if err := c.Lease().Acquire(ctx); err != nil {
		return nil, nil, err
	}
	renewing, stop := context.WithCancel(ctx)
	over := make(chan error, 1)
	go func() { over <- c.Lease().Run(renewing, nil) }()
	return c, func() error {
		stop()
		err := <-over
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer cancel()
		return errors.Join(err, c.Lease().Release(last))
	}, nil
}

// processOwner names this process in leases.
func processOwner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	host = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, host)
	return fmt.Sprintf("%s-%.100s-%d", bankOwner, host, os.Getpid())
}
