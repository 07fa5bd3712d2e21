package copying

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

// maxObject bounds a format document and a slot.
const maxObject = 64 << 10

// Twin gives a domain a twin of its name in another bank: with its repository id, its master
// key and the slots that it has now. It needs no key. One that is there is left as it is: then
// twin says whether it is one of the same repository, and it gets no slots. Slots that are
// added, replaced or removed later are so in one of the two only: who shreds a domain shreds its
// twins, too.
func Twin(ctx context.Context, from, to bank.Bank, domain string) (twin bool, err error) {
	key := dedup.DocumentKey(domain)
	document, err := read(ctx, from, key)
	if err != nil {
		return false, fmt.Errorf("making a twin of the domain %s: %w", domain, err)
	}
	_, own, err := format.ParseDocument(document, domain)
	if err != nil {
		return false, fmt.Errorf("making a twin of the domain %s: %w", domain, err)
	}
	there, err := read(ctx, to, key)
	if err == nil {
		_, other, err := format.ParseDocument(there, domain)
		return err == nil && other == own, err
	}
	if karbor.KindOf(err) != karbor.NotFound {
		return false, fmt.Errorf("making a twin of the domain %s: %w", domain, err)
	}
	// The slots first: a domain without any could not be opened.
	if err := copySlots(ctx, from, to, domain); err != nil {
		return false, fmt.Errorf("making a twin of the domain %s: %w", domain, err)
	}
	if err := create(ctx, to, key, document); err != nil {
		return false, fmt.Errorf("making a twin of the domain %s: %w", domain, err)
	}
	return true, nil
}

func copySlots(ctx context.Context, from, to bank.Bank, domain string) error {
	prefix, copied := dedup.SlotsPrefix(domain), 0
	for marker := ""; ; {
		page, err := from.List(ctx, prefix, marker, bank.MaxList)
		if err != nil {
			return err
		}
		for _, i := range page {
			marker = i.Key
			slot, err := read(ctx, from, i.Key)
			if err == nil {
				err = create(ctx, to, i.Key, slot)
			}
			if err != nil {
				return err
			}
			copied++
		}
		if len(page) < bank.MaxList {
			break
		}
	}
	if copied == 0 {
		return karbor.Errorf(karbor.Conflict, "it has no key slots")
	}
	return nil
}

// create writes an object. One with the same bytes that is there is no error.
func create(ctx context.Context, b bank.Bank, key string, text []byte) error {
	err := b.Create(ctx, key, bytes.NewReader(text), int64(len(text)))
	if karbor.KindOf(err) != karbor.Conflict {
		return err
	}
	if there, readErr := read(ctx, b, key); readErr != nil || !bytes.Equal(there, text) {
		return errors.Join(err, readErr)
	}
	return nil
}

func read(ctx context.Context, b bank.Bank, key string) ([]byte, error) {
	r, err := b.Get(ctx, key, 0, maxObject)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(r)
	return text, errors.Join(err, r.Close())
}

// Same reports whether what is stored in one domain can be read in the other as it is: they have
// the same repository id and master key.
func Same(a, b *dedup.Domain) bool {
	return a.Document().Repository == b.Document().Repository && *a.Keys() == *b.Keys()
}
