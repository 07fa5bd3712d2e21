package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// maxDocument bounds what is read into memory. The resource graph of a project with
// 10,000 resources takes about 2 MiB.
const maxDocument = 64 << 20

// Sealer seals documents under the key of their project's domain, and opens them
// (docs/format/repository.md, "Sealed documents"). Methods may be called concurrently.
type Sealer interface {
	// Seal gives the sealed document of text, as it is to lie in the bank under key.
	// Two calls give different ones. It makes the domain if there is none yet.
	Seal(ctx context.Context, project, key string, text []byte) ([]byte, error)
	// Unseal gives back the text that Seal was given for the same project and key.
	// sealed names the domain that it was sealed in (format.ParseSealed). The errors:
	// *format.DamageError for one that was changed or lies under another key or in
	// another project; karbor.Unavailable, not transient, and naming the domain, when
	// the key is not there; transient ones for what may pass.
	Unseal(ctx context.Context, project, key string, sealed []byte) ([]byte, error)
}

// papers writes and reads the documents of a bank that hold names: sealed, if there
// is a Sealer.
type papers struct {
	bank   bank.Bank
	sealer Sealer
	// lead says that what is created is of no use before a state that is written next.
	lead bool
}

// leading gives the papers for documents that a state follows.
func (p papers) leading() papers {
	p.lead = true
	return p
}

// create writes v as a document. One that is there with the same text is no error,
// so that a step that runs again does no harm; one with another text is
// karbor.Conflict. What counts is the text, as two boxes of one differ.
func (p papers) create(ctx context.Context, project, key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the document %s: %w", key, err)
	}
	object := text
	switch {
	case p.sealer != nil:
		if object, err = p.sealer.Seal(ctx, project, key, text); err != nil {
			return closedOr(err, "sealing", key)
		}
	case format.IsSealed(text):
		return karbor.Errorf(karbor.Invalid, "the first member of the document %s is \"sealed\", which tells sealed documents", key)
	}
	if len(object) > maxDocument {
		return karbor.Errorf(karbor.Invalid, "the document %s has %d bytes; there is room for %d", key, len(object), maxDocument)
	}
	writing := ctx
	if p.lead {
		writing = bank.Followed(ctx)
	}
	err = p.bank.Create(writing, key, bytes.NewReader(object), int64(len(object)))
	if err == nil {
		return nil
	}
	if karbor.KindOf(err) == karbor.Conflict {
		there, _, readErr := p.text(ctx, project, key)
		if readErr != nil {
			return readErr
		}
		if bytes.Equal(there, text) {
			return nil
		}
	}
	return fmt.Errorf("writing the document %s: %w", key, err)
}

// read reads the document under key into v, and tells whether it is sealed. One that
// is not exactly one JSON value that fits v, or is not what was sealed, is a
// *bank.DecodeError; one whose key is not there a *ClosedError.
func (p papers) read(ctx context.Context, project, key string, v any) (sealed bool, err error) {
	text, sealed, err := p.text(ctx, project, key)
	if err != nil {
		return sealed, err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return sealed, &bank.DecodeError{Key: key, Err: err}
	}
	return sealed, nil
}

// text gives the text of a document, opened.
func (p papers) text(ctx context.Context, project, key string) (text []byte, sealed bool, err error) {
	object, err := p.object(ctx, key, maxDocument+1)
	if err != nil {
		return nil, false, err
	}
	if len(object) > maxDocument {
		return nil, false, &bank.DecodeError{Key: key, Err: fmt.Errorf("it has more than %d bytes", maxDocument)}
	}
	if !format.IsSealed(object) {
		return object, false, nil
	}
	text, err = p.open(ctx, project, key, object)
	return text, true, err
}

// open opens a sealed document.
func (p papers) open(ctx context.Context, project, key string, object []byte) ([]byte, error) {
	envelope, err := format.ParseSealed(object)
	if err != nil {
		return nil, &bank.DecodeError{Key: key, Err: err}
	}
	if p.sealer == nil {
		return nil, &ClosedError{Err: karbor.Errorf(karbor.Unavailable,
			"it is sealed under the key of the domain %s, repository %s, and there are no keys here", envelope.Domain, envelope.Repository)}
	}
	text, err := p.sealer.Unseal(ctx, project, key, object)
	if err == nil {
		return text, nil
	}
	err = closedOr(err, "opening", key)
	if _, closed := errors.AsType[*ClosedError](err); closed { // because slots are damaged, perhaps
		return nil, err
	}
	if damage, bad := errors.AsType[*format.DamageError](err); bad {
		return nil, &bank.DecodeError{Key: key, Err: damage}
	}
	return nil, err
}

// closedOr makes a ClosedError of a Sealer's error that says that a key is missing.
func closedOr(err error, doing, key string) error {
	if karbor.KindOf(err) == karbor.Unavailable && !karbor.IsTransient(err) {
		return &ClosedError{Err: err}
	}
	return fmt.Errorf("%s the document %s: %w", doing, key, err)
}

// sealed reports whether the document under key is sealed, by its first bytes.
func (p papers) sealed(ctx context.Context, key string) (bool, error) {
	begin, err := p.object(ctx, key, int64(format.SealedBegin))
	if karbor.KindOf(err) == karbor.NotFound {
		return false, nil
	}
	return format.IsSealed(begin), err
}

// object gives the first limit bytes of an object.
func (p papers) object(ctx context.Context, key string, limit int64) ([]byte, error) {
	body, err := p.bank.Get(ctx, key, 0, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the document %s: %w", key, err)
	}
	text, err := io.ReadAll(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("reading the document %s: %w", key, err)
	}
	return text, nil
}
