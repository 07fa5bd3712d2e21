package dedup

import (
	"context"
	"strings"

	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/repository/format"
)

// DocumentKey is where the format document of a domain lies.
func DocumentKey(domain string) string { return domainPrefix(domain) + "format" }

// PacksPrefix begins the keys of a domain's packs of a kind.
func PacksPrefix(domain string, kind format.Kind) string {
	if kind == format.Pages {
		return domainPrefix(domain) + "pages/"
	}
	return domainPrefix(domain) + "packs/"
}

// PackKey is where a pack of a domain lies.
func PackKey(domain string, kind format.Kind, name format.Name) string {
	text := name.String()
	return PacksPrefix(domain, kind) + text[:2] + "/" + text
}

// ParsePackKey reads what PackKey gives; ok is false for any other key.
func ParsePackKey(domain string, kind format.Kind, key string) (name format.Name, ok bool) {
	rest, under := strings.CutPrefix(key, PacksPrefix(domain, kind))
	if !under || len(rest) < 3 {
		return name, false
	}
	name, ok = format.ParseName(rest[3:])
	return name, ok && PackKey(domain, kind, name) == key
}

// SegmentsPrefix begins the keys of a domain's index segments.
func SegmentsPrefix(domain string) string { return domainPrefix(domain) + "index/" }

// Bank is where the domain lies.
func (d *Domain) Bank() bank.Bank { return d.bank }

// Name is the domain's id.
func (d *Domain) Name() string { return d.name }

// Keys are the domain's.
func (d *Domain) Keys() *format.Keys { return d.keys }

// Document is the domain's format document.
func (d *Domain) Document() *format.Document { return d.document }

// Index is the domain's index.
func (d *Domain) Index() Index { return d.options.Index }

// Segments are the domain's index segments in its bank.
func (d *Domain) Segments() Segments { return &segments{domain: d} }

// Root reads the manifest of a stream.
func (d *Domain) Root(ctx context.Context, key string) (*format.Root, error) {
	return d.manifest(ctx, key)
}

// Unguarded are the references of a stream in a domain that nobody collects: they note
// nothing.
func Unguarded() References { return unguarded{} }

// ReceiptsPrefix begins the keys of what says that a domain's slots were destroyed.
func ReceiptsPrefix(domain string) string { return domainPrefix(domain) + "receipts/" }

// SlotsPrefix begins the keys of a domain's key slots.
func SlotsPrefix(domain string) string { return domainPrefix(domain) + "slots/" }
