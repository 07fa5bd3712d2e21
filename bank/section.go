package bank

import (
	"context"
	"io"
	"strings"
)

// Section is the part of a bank under one prefix. It is the only view of a bank
// that a plug-in gets. Its keys are relative to the prefix.
type Section struct {
	bank   Bank
	prefix string // with closing slash
}

// NewSection makes the section of b under prefix, which is a key.
func NewSection(b Bank, prefix string) (*Section, error) {
	if err := CheckKey(prefix); err != nil {
		return nil, err
	}
	return &Section{bank: b, prefix: prefix + "/"}, nil
}

// Sub gives the section under a prefix of this one.
func (s *Section) Sub(prefix string) (*Section, error) {
	return NewSection(s.bank, s.prefix+prefix)
}

// Key gives the whole key, in the bank, of one of the section's. What is sealed is tied to it.
func (s *Section) Key(key string) string { return s.prefix + key }

// Create writes an object that must not exist yet.
func (s *Section) Create(ctx context.Context, key string, body io.Reader, size int64) error {
	return s.bank.Create(ctx, s.prefix+key, body, size)
}

// CreateJSON writes v as a JSON document; see the function CreateJSON.
func (s *Section) CreateJSON(ctx context.Context, key string, v any) error {
	return CreateJSON(ctx, s.bank, s.prefix+key, v)
}

// Get opens an object; see Bank.Get.
func (s *Section) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return s.bank.Get(ctx, s.prefix+key, offset, length)
}

// GetJSON reads the JSON document under key into v; see the function GetJSON.
func (s *Section) GetJSON(ctx context.Context, key string, v any) error {
	return GetJSON(ctx, s.bank, s.prefix+key, v)
}

// List gives up to limit objects; see Bank.List. The keys are relative.
func (s *Section) List(ctx context.Context, prefix, marker string, limit int) ([]Info, error) {
	if marker != "" {
		marker = s.prefix + marker
	}
	infos, err := s.bank.List(ctx, s.prefix+prefix, marker, limit)
	for i := range infos {
		infos[i].Key = strings.TrimPrefix(infos[i].Key, s.prefix)
	}
	return infos, err
}

// Delete removes an object. One that is not there is no error.
func (s *Section) Delete(ctx context.Context, key string) error {
	return s.bank.Delete(ctx, s.prefix+key)
}

// Clear removes every object of the section.
func (s *Section) Clear(ctx context.Context) error {
	const page = 1000
	marker := ""
	for {
		infos, err := s.List(ctx, "", marker, page)
		if err != nil {
			return err
		}
		for _, i := range infos {
			if err := s.Delete(ctx, i.Key); err != nil {
				return err
			}
			marker = i.Key
		}
		if len(infos) < page {
			return nil
		}
	}
}
