package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

var flipsOfEach = flag.Int("flips", 25, "how many bits of each object of the golden repository are flipped; 100000 for one of every byte")

// A content is a stream of the golden repository: zero bytes, and the bytes behind them.
type content struct {
	zeros int64
	rest  []byte
}

func (c *content) Write(p []byte) (int, error) {
	c.rest = append(c.rest, p...)
	return len(p), nil
}

func (c *content) hole(length int64) error {
	if len(c.rest) == 0 {
		c.zeros += length
		return nil
	}
	return writerSink{c}.hole(length)
}

var errWrong = errors.New("a wrong byte was given")

// A comparison is a sink that knows what has to come.
type comparison struct {
	want   content
	offset int64
}

func (c *comparison) Write(p []byte) (int, error) {
	begin := c.offset - c.want.zeros
	c.offset += int64(len(p))
	if begin < 0 || begin+int64(len(p)) > int64(len(c.want.rest)) || !bytes.Equal(c.want.rest[begin:][:len(p)], p) {
		return 0, errWrong
	}
	return len(p), nil
}

func (c *comparison) hole(length int64) error {
	begin, end := c.offset-c.want.zeros, c.offset+length-c.want.zeros
	c.offset += length
	if end > int64(len(c.want.rest)) || end > 0 && !allZero(c.want.rest[max(begin, 0):end]) {
		return errWrong
	}
	return nil
}

// A judge reads changed banks.
type judge struct {
	bank    memory
	streams map[string]content
	uses    map[string]map[string]bool // the packs that a stream lies in
	ways    map[string]way             // by the key of the slot that is opened by it
	master  way
}

func newJudge(t testing.TB) *judge {
	t.Helper()
	j := &judge{bank: goldenBank(t), streams: map[string]content{}, uses: map[string]map[string]bool{}, master: goldenWay(t, "master-key-file")}
	slots := "v1/repositories/" + goldenDomain + "/slots/10000000-0000-4000-8000-00000000000"
	j.ways = map[string]way{slots + "1": goldenWay(t, "passphrase-file"), slots + "2": goldenWay(t, "key-file"),
		slots + "3": goldenWay(t, "recovery-file")}
	r, err := openRepository(j.bank, goldenDomain, j.master)
	if err != nil || r.load() != nil {
		t.Fatal(err)
	}
	for _, line := range goldenStreams(t) {
		var got content
		j.uses[line.Manifest] = map[string]bool{}
		r.from, r.recent = recording{j.bank, j.uses[line.Manifest]}, nil
		if err := r.stream(line.Manifest, &got); err != nil {
			t.Fatal(err)
		}
		j.streams[line.Manifest] = got
	}
	return j
}

// read reads all streams of a bank of which one object was changed. It tells how many are refused; an error is a
// wrong byte.
func (j *judge) read(bank memory, changed string, index bool) (refused int, err error) {
	by, isSlot := j.ways[changed]
	if !isSlot {
		by = j.master
	}
	r, err := openRepository(bank, goldenDomain, by)
	if err != nil {
		return len(j.streams), nil
	}
	r.useIndex = index
	if isSlot && bytes.Equal(by.secret, j.master.secret) {
		return 0, errors.New("the slot's secret is the master key")
	}
	for key, want := range j.streams {
		if isSlot || kindOf(changed) != "/index/" && !j.uses[key][changed] {
			continue // It does not see the change.
		}
		sink := &comparison{want: want}
		err := r.stream(key, sink)
		switch whole := sink.offset == want.zeros+int64(len(want.rest)); {
		case errors.Is(err, errWrong):
			return refused, fmt.Errorf("%s: %w", key, err)
		case err != nil:
			refused++
		case !whole:
			return refused, fmt.Errorf("%s: ends after %d bytes without an error", key, sink.offset)
		}
	}
	return refused, nil
}

// try reads a bank in which an object is another one, or not there, with and without the index.
func (j *judge) try(t *testing.T, key string, object []byte, how string) (refused int) {
	t.Helper()
	bank := maps.Clone(j.bank)
	bank[key] = object
	if object == nil {
		delete(bank, key)
	}
	for _, index := range []bool{false, true} {
		count, err := j.read(bank, key, index)
		if err != nil {
			t.Errorf("%s %s, index %v: %v", key, how, index, err)
		}
		if count > 0 && strings.Contains(key, "/index/") {
			t.Errorf("%s %s, index %v: %d streams are lost with a part of the index", key, how, index, count)
		}
		refused += count
	}
	return refused
}

// needed tells whether a change of an object has to be noticed, at whichever place. In a slot, the label and the
// time are for people only.
func (j *judge) needed(key string, offset int) bool {
	if strings.Contains(key, "/slots/") {
		text := j.bank[key]
		return offset < bytes.Index(text, []byte(`"created_at":`)) || offset >= bytes.Index(text, []byte(`"wrapped":`))
	}
	return !strings.Contains(key, "/index/")
}

func (j *judge) objects() []string { return slices.Sorted(maps.Keys(j.bank)) }

func TestFlippedBitsNeverGiveWrongBytes(t *testing.T) {
	j := newJudge(t)
	flips := 0
	for _, key := range j.objects() {
		object := j.bank[key]
		step := max(1, len(object) / *flipsOfEach)
		for i := flips % step; i < len(object); i += step {
			changed := bytes.Clone(object)
			changed[i] ^= 1 << (i / step % 8)
			flips++
			if refused := j.try(t, key, changed, fmt.Sprintf("with a bit of byte %d flipped", i)); refused == 0 && j.needed(key, i) {
				t.Errorf("%s: a flipped bit of byte %d is not noticed", key, i)
			}
		}
	}
	t.Logf("%d flipped bits", flips)
}

func TestTruncatedObjectsNeverGiveWrongBytes(t *testing.T) {
	j := newJudge(t)
	for _, key := range j.objects() {
		object := j.bank[key]
		for _, length := range []int{0, 1, 16, 39, len(object) / 2, len(object) - 24, len(object) - 1} {
			length = min(max(length, 0), len(object)-1)
			if j.try(t, key, object[:length:length], fmt.Sprintf("cut to %d bytes", length)) == 0 && j.needed(key, 0) {
				t.Errorf("%s: that it is cut to %d bytes is not noticed", key, length)
			}
		}
		if j.try(t, key, append(bytes.Clone(object), 0), "with a byte more") == 0 && j.needed(key, 0) {
			t.Errorf("%s: a byte more is not noticed", key)
		}
	}
}

func TestMissingObjectsNeverGiveWrongBytes(t *testing.T) {
	j := newJudge(t)
	for _, key := range j.objects() {
		if j.try(t, key, nil, "missing") == 0 && j.needed(key, 0) {
			t.Errorf("%s: that it is missing is not noticed", key)
		}
	}
}

func TestSwappedObjectsNeverGiveWrongBytes(t *testing.T) {
	j := newJudge(t)
	for _, key := range j.objects() {
		for _, other := range j.objects() {
			if key != other && kindOf(key) == kindOf(other) {
				if j.try(t, key, j.bank[other], "that is "+other) == 0 && j.needed(key, 0) {
					t.Errorf("%s: that it is %s is not noticed", key, other)
				}
			}
		}
	}
}

// kindOf tells what kind of object a key is of. Packs of both kinds are alike enough to be swapped.
func kindOf(key string) string {
	for _, kind := range []string{"/manifest", "/slots/", "/index/"} {
		if strings.Contains(key, kind) {
			return kind
		}
	}
	return "pack"
}
