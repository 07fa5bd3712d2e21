package protectiontest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// bank is a node's part of a bank in memory. It outlives processes.
type bank struct {
	// owner is the checkpoint's id.
	owner     string
	mu        sync.Mutex
	documents map[string][]byte
	data      map[string]*stored
	// real keeps the bulk data in place of data, unless it is nil.
	real protection.Repository
}

type stored struct {
	bytes   sparse
	summary protection.Summary
}

func newBank() *bank {
	return &bank{owner: karbor.NewID(), documents: map[string][]byte{}, data: map[string]*stored{}}
}

// checkpoint is a bank as one process sees it: nothing works for a dead one.
type checkpoint struct {
	bank   *bank
	faults *faults
}

func (c checkpoint) lock() (unlock func(), err error) {
	if !c.faults.alive() {
		return nil, fmt.Errorf("%w: %w", errKilled, context.Canceled)
	}
	c.bank.mu.Lock()
	return c.bank.mu.Unlock, nil
}

// Sealed implements protection.Sealable: memory is as good as sealed.
func (checkpoint) Sealed() bool { return true }

// CreateJSON implements protection.Documents.
func (c checkpoint) CreateJSON(_ context.Context, key string, v any) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if old, there := c.bank.documents[key]; there && !bytes.Equal(old, text) {
		return karbor.Errorf(karbor.Conflict, "the document %s is there with other content", key)
	}
	c.bank.documents[key] = text
	return nil
}

// GetJSON implements protection.Documents.
func (c checkpoint) GetJSON(_ context.Context, key string, v any) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	text, there := c.bank.documents[key]
	if !there {
		return karbor.Errorf(karbor.NotFound, "there is no document %s", key)
	}
	return json.Unmarshal(text, v)
}

// repository is the bank's bulk data as one process sees it.
type repository struct{ checkpoint }

// Create implements protection.Repository.
func (r repository) Create(_ context.Context, name string) (protection.Writer, error) {
	unlock, err := r.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if r.bank.data[name] != nil {
		return nil, karbor.Errorf(karbor.Conflict, "the data %s is complete already", name)
	}
	return &writer{repository: r, name: name, into: &stored{}, sum: sha256.New()}, nil
}

type writer struct {
	repository repository
	name       string
	into       *stored
	sum        hash.Hash
}

func (w *writer) Write(p []byte) (int, error) {
	if !w.repository.faults.alive() {
		return 0, errKilled
	}
	w.into.bytes.write(p)
	w.sum.Write(p)
	return len(p), nil
}

func (w *writer) Commit(context.Context) (protection.Summary, error) {
	unlock, err := w.repository.lock()
	if err != nil {
		return protection.Summary{}, err
	}
	defer unlock()
	w.into.bytes.flush()
	w.into.summary = protection.Summary{Size: w.into.bytes.size, SHA256: hex.EncodeToString(w.sum.Sum(nil))}
	w.repository.bank.data[w.name] = w.into
	return w.into.summary, nil
}

func (w *writer) Abort(context.Context) error { return nil }

// Stat implements protection.Repository.
func (r repository) Stat(_ context.Context, name string) (protection.Summary, error) {
	unlock, err := r.lock()
	if err != nil {
		return protection.Summary{}, err
	}
	defer unlock()
	if s := r.bank.data[name]; s != nil {
		return s.summary, nil
	}
	return protection.Summary{}, karbor.Errorf(karbor.NotFound, "there is no data %s", name)
}

// Open implements protection.Repository.
func (r repository) Open(ctx context.Context, name string) (protection.Reader, error) {
	if _, err := r.Stat(ctx, name); err != nil {
		return nil, err
	}
	return &reader{from: r.bank.data[name], faults: r.faults}, nil
}

// Verify implements protection.Repository.
func (r repository) Verify(ctx context.Context, name string, _ func(done, total int64)) error {
	_, err := r.Stat(ctx, name)
	return err
}

// Remove implements protection.Repository.
func (r repository) Remove(_ context.Context, name string) error {
	unlock, err := r.lock()
	if err != nil {
		return err
	}
	defer unlock()
	delete(r.bank.data, name)
	return nil
}

type reader struct {
	from   *stored
	faults *faults
	at     int64
}

func (r *reader) Read(p []byte) (int, error) {
	if !r.faults.alive() {
		return 0, errKilled
	}
	n := r.from.bytes.read(p, r.at)
	r.at += int64(n)
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *reader) Close() error                { return nil }
func (r *reader) Summary() protection.Summary { return r.from.summary }

// operation is what outlives the processes of one operation.
type operation struct {
	owner   string
	mu      sync.Mutex
	scratch []byte
	id      string
	nodes   map[karbor.NodeKey]string
	parts   map[string]string
	notKept []string
	mapped  []string
	ledger  ledger
	// turns are those of all nodes of a restore.
	turns *protection.Turnstile
}

func newOperation() *operation {
	return &operation{owner: karbor.NewID(), nodes: map[karbor.NodeKey]string{}, parts: map[string]string{}, turns: &protection.Turnstile{}}
}

func (o *operation) restored() Restored {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Restored{ID: o.id, Nodes: maps.Clone(o.nodes), Parts: maps.Clone(o.parts), NotKept: slices.Clone(o.notKept), Mapped: slices.Clone(o.mapped)}
}

// records are an operation's durable records as one process sees them.
type records struct {
	operation *operation
	faults    *faults
}

func (r records) lock() (unlock func(), err error) {
	if !r.faults.alive() {
		return nil, fmt.Errorf("%w: %w", errKilled, context.Canceled)
	}
	r.operation.mu.Lock()
	return r.operation.mu.Unlock, nil
}

// Load implements protection.Scratch.
func (r records) Load(_ context.Context, v any) error {
	unlock, err := r.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if r.operation.scratch == nil {
		return nil
	}
	return json.Unmarshal(r.operation.scratch, v)
}

// Save implements protection.Scratch.
func (r records) Save(_ context.Context, v any) error {
	unlock, err := r.lock()
	if err != nil {
		return err
	}
	defer unlock()
	r.operation.scratch, err = json.Marshal(v)
	return err
}

// ID implements protection.NewResources.
func (r records) ID(key karbor.NodeKey) string {
	r.operation.mu.Lock()
	defer r.operation.mu.Unlock()
	return r.operation.nodes[key]
}

// Set implements protection.NewResources.
func (r records) Set(_ context.Context, id string) error {
	unlock, err := r.lock()
	if err != nil {
		return err
	}
	defer unlock()
	r.operation.id = id
	return nil
}

// Part implements protection.NewResources.
func (r records) Part(original string) string {
	r.operation.mu.Lock()
	defer r.operation.mu.Unlock()
	return r.operation.parts[original]
}

// SetPart implements protection.NewResources.
func (r records) SetPart(_ context.Context, original, id string) error {
	unlock, err := r.lock()
	if err != nil {
		return err
	}
	defer unlock()
	r.operation.parts[original] = id
	return nil
}
