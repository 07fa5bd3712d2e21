package chunks

import "github.com/karbor/karbor"

// DamageError says what of a stream is not what was written. No retry cures it.
type DamageError struct{ What string }

// Error implements error.
func (e *DamageError) Error() string { return e.What }

// broken is the error of a stream that is damaged.
func broken(name, what string) error {
	return karbor.Errorf(karbor.Internal, "the data %s in the bank is damaged: %w", name, &DamageError{what})
}
