// Package wrap puts something around any bank: retries, limits, measurement, a
// protection from writes. Each wrapper is a bank itself and keeps the contract.
//
// Banks in object stores take Options among their own.
package wrap

import (
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
)

// Options are those that every bank in an object store has in a provider file.
type Options struct {
	// Retry is how calls that failed are made again.
	Retry RetryOptions `yaml:"retry"`
	// Limit is how much the bank is asked for.
	Limit LimitOptions `yaml:"limit"`
	// ReadOnly refuses every change.
	ReadOnly bool `yaml:"read_only"`
}

// Defaults gives the options without any setting.
func Defaults() Options {
	return Options{Retry: RetryOptions{Attempts: 5, FirstPause: 250 * time.Millisecond, LongestPause: 10 * time.Second}}
}

// Validate reports what is wrong with the options.
func (o *Options) Validate() error {
	switch r, l := o.Retry, o.Limit; {
	case r.Attempts < 1 || r.Attempts > 100:
		return karbor.Errorf(karbor.Invalid, "retry.attempts: %d is not from 1 to 100", r.Attempts)
	case r.FirstPause <= 0 || r.LongestPause < r.FirstPause || r.LongestPause > time.Hour:
		return karbor.Errorf(karbor.Invalid, "retry: first_pause is more than 0, longest_pause not less than that and at most 1h")
	case l.ReadBytesPerSecond < 0 || l.WriteBytesPerSecond < 0:
		return karbor.Errorf(karbor.Invalid, "limit: a number of bytes per second is not negative")
	case l.ConcurrentReads < 0 || l.ConcurrentWrites < 0:
		return karbor.Errorf(karbor.Invalid, "limit: a number of calls is not negative")
	}
	return nil
}

// Around puts the wrappers that the options ask for around a bank.
func (o *Options) Around(b bank.Bank) bank.Bank {
	if o.Limit != (LimitOptions{}) {
		b = Limit(b, o.Limit)
	}
	if o.Retry.Attempts > 1 {
		b = Retry(b, o.Retry)
	}
	if o.ReadOnly {
		b = ReadOnly(b)
	}
	return b
}
