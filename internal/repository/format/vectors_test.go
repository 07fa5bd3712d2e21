package format

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The vectors are part of the specification: what reads them right, reads repositories.
const vectorsFile = "../../../docs/format/repository-vectors.json"

var updateVectors = flag.Bool("update", false, "write the test vectors anew, after a change of the format")

// vectors are the file's content. Bytes are in hexadecimal digits.
type vectors struct {
	About      string            `json:"about"`
	MasterKey  octets            `json:"master_key"`
	Repository octets            `json:"repository"`
	Domain     string            `json:"domain"`
	Keys       map[string]octets `json:"keys"`
	Format     formatVector      `json:"format_document"`
	ChunkIDs   []idVector        `json:"chunk_ids"`
	Box        boxVector         `json:"box"`
	Stream     streamVector      `json:"stream"`
	Page       pageVector        `json:"page"`
	Root       rootVector        `json:"root"`
	Manifest   manifestVector    `json:"manifest"`
	Packs      []packVector      `json:"packs"`
	Segment    segmentVector     `json:"segment"`
	Slots      []slotVector      `json:"slots"`
	Sealed     sealedVector      `json:"sealed_document"`
	Checked    []sealedVector    `json:"checked_documents"`
}

type (
	formatVector struct {
		Text      string `json:"text"`
		TextOfMAC string `json:"text_of_mac"`
		MAC       octets `json:"mac"`
	}
	idVector struct {
		Bytes octets `json:"bytes"`
		ID    octets `json:"id"`
	}
	boxVector struct {
		Key     string `json:"key"`
		Context string `json:"context"`
		Salt    octets `json:"salt"`
		Plain   octets `json:"plain"`
		Box     octets `json:"box"`
	}
	streamVector struct {
		About  string       `json:"about"`
		Size   int          `json:"size"`
		Areas  []areaVector `json:"areas"`
		SHA256 octets       `json:"sha256"`
		Parts  []partVector `json:"parts"`
	}
	areaVector struct {
		Offset int  `json:"offset"`
		Length int  `json:"length"`
		Byte   byte `json:"byte"`
	}
	partVector struct {
		Offset int    `json:"offset"`
		Length int    `json:"length"`
		Hole   bool   `json:"hole,omitempty"`
		ID     octets `json:"id,omitempty"`
	}
	pageVector struct {
		Size    int64        `json:"size"`
		Entries []partVector `json:"entries"`
		Bytes   octets       `json:"bytes"`
		ID      octets       `json:"id"`
	}
	rootVector struct {
		Size  int64    `json:"size"`
		Pages []octets `json:"pages"`
		Bytes octets   `json:"bytes"`
	}
	sealedVector struct {
		Key    string `json:"key"`
		Text   string `json:"text"`
		Object string `json:"object"`
	}
	manifestVector struct {
		Key  string `json:"key"`
		Text string `json:"text"`
		Root octets `json:"root"`
	}
	packVector struct {
		Kind      Kind          `json:"kind"`
		Name      octets        `json:"name"`
		Directory octets        `json:"directory"`
		Groups    []groupVector `json:"groups"`
		Bytes     octets        `json:"bytes"`
	}
	groupVector struct {
		Offset      int         `json:"offset"`
		Stored      int         `json:"stored"`
		Compression Compression `json:"compression"`
		Chunks      []idVector  `json:"chunks"`
	}
	segmentVector struct {
		Name     octets   `json:"name"`
		Replaces []octets `json:"replaces"`
		Packs    []octets `json:"packs"`
		Bytes    octets   `json:"bytes"`
	}
	slotVector struct {
		Slot       string `json:"slot"`
		Text       string `json:"text"`
		Passphrase string `json:"passphrase,omitempty"`
		KeyFile    string `json:"key_file,omitempty"`
		Payload    octets `json:"payload,omitempty"`
		Recovery   octets `json:"recovery_key,omitempty"`
	}
)

// octets are bytes that are written in hexadecimal digits.
type octets []byte

// MarshalText implements encoding.TextMarshaler.
func (o octets) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, o), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

// bytes gives the stream: SplitMix64, with areas of one byte.
func (v *streamVector) bytes() []byte {
	stream := make([]byte, 0, v.Size+8)
	for i := uint64(1); len(stream) < v.Size; i++ {
		z := i * 0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		z ^= z >> 31
		for range 8 {
			stream = append(stream, byte(z))
			z >>= 8
		}
	}
	stream = stream[:v.Size]
	for _, a := range v.Areas {
		copy(stream[a.Offset:], bytes.Repeat([]byte{a.Byte}, a.Length))
	}
	return stream
}

func (k *Keys) named() map[string]*Key {
	return map[string]*Key{"chunk id": &k.chunkID, "page id": &k.pageID, "group": &k.group, "directory": &k.directory,
		"index": &k.index, "manifest": &k.manifest, "document": &k.document, "format": &k.format}
}

func readVectors(t *testing.T) (*vectors, *Keys, *Document) {
	t.Helper()
	if *updateVectors {
		writeVectors(t)
	}
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	document, id, err := ParseDocument([]byte(v.Format.Text), v.Domain)
	if err != nil || !bytes.Equal(id[:], v.Repository) {
		t.Fatal(err, id)
	}
	k, err := document.Unlock(Key(v.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	return &v, k, document
}

func TestVectorsOfKeysAndBoxes(t *testing.T) {
	v, k, document := readVectors(t)
	for name, key := range k.named() {
		if !bytes.Equal(v.Keys[name], key[:]) {
			t.Errorf("the %s key is another", name)
		}
	}
	if hex.EncodeToString(v.Format.MAC) != document.MAC {
		t.Errorf("the format document's mac is %s", document.MAC)
	}
	for _, c := range v.ChunkIDs {
		if id := k.ChunkHasher().ID(c.Bytes); !bytes.Equal(id[:], c.ID) {
			t.Errorf("the id of %x is %s", c.Bytes, id)
		}
	}
	box, err := sealSalted(nil, k.named()[v.Box.Key], v.Box.Context, v.Box.Plain, [saltSize]byte(v.Box.Salt))
	if err != nil || !bytes.Equal(box, v.Box.Box) {
		t.Errorf("the box is %x, %v", box, err)
	}
	for _, s := range v.Slots {
		slot, err := ParseSlot([]byte(s.Text), s.Slot)
		if err != nil {
			t.Fatal(err)
		}
		kek, err := s.key(slot)
		if err != nil {
			t.Fatal(err)
		}
		if master, err := slot.Unwrap(document, kek); err != nil || master != Key(v.MasterKey) {
			t.Errorf("the slot of the kind %s does not open: %v", slot.Kind, err)
		}
	}
}

// key is the slot's key encryption key.
func (s *slotVector) key(slot *Slot) (Key, error) {
	switch slot.Kind {
	case PassphraseSlot:
		return slot.PassphraseKey(s.Passphrase)
	case FileSlot:
		return ParseKeyFile(s.KeyFile)
	case BarbicanSlot:
		return Key(s.Payload), nil
	case RecoverySlot:
		return RecoveryKey(Key(s.Recovery)), nil
	default:
		return Key{}, damaged("slot", "its kind is %q", slot.Kind)
	}
}

func TestVectorsOfStreamsAndRecipes(t *testing.T) {
	v, k, document := readVectors(t)
	stream := v.Stream.bytes()
	if name := NameOf(stream); !bytes.Equal(name[:], v.Stream.SHA256) {
		t.Fatalf("the stream's digest is %s", name)
	}
	if diff := cmp.Diff(v.Stream.Parts, cutVector(k, stream)); diff != "" {
		t.Errorf("the stream is cut in another way (-want +got):\n%s", diff)
	}
	page, err := DecodePage(v.Page.Bytes, v.Page.Size)
	if err != nil {
		t.Fatal(err)
	}
	var entries []partVector
	for _, e := range page {
		entries = append(entries, partOf(e))
	}
	if diff := cmp.Diff(v.Page.Entries, entries); diff != "" || !bytes.Equal(page.Encode(nil), v.Page.Bytes) {
		t.Errorf("the page (-want +got):\n%s", diff)
	}
	if id := k.PageHasher().ID(v.Page.Bytes); !bytes.Equal(id[:], v.Page.ID) {
		t.Errorf("the page's id is %s", id)
	}
	root, err := DecodeRoot(v.Root.Bytes)
	if err != nil || root.Size != v.Root.Size || len(root.Pages) != len(v.Root.Pages) || !bytes.Equal(root.Encode(), v.Root.Bytes) {
		t.Fatalf("the root is %v, %v", root, err)
	}
	for i, id := range root.Pages {
		if !bytes.Equal(id[:], v.Root.Pages[i]) {
			t.Errorf("page %d is %s", i, id)
		}
	}
	var m Manifest
	if err := json.Unmarshal([]byte(v.Manifest.Text), &m); err != nil {
		t.Fatal(err)
	}
	if root, err = k.OpenManifest(document, v.Manifest.Key, &m); err != nil || !bytes.Equal(root.Encode(), v.Manifest.Root) {
		t.Errorf("the manifest's root is %v, %v", root, err)
	}
}

func TestVectorsOfPacksAndSegments(t *testing.T) {
	v, k, _ := readVectors(t)
	tools := newTools(t, Zstd)
	packs := map[string]Pack{}
	for _, p := range v.Packs {
		groups, raws, err := openPack(k, tools.d, p.Kind, p.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		name := NameOf(p.Bytes)
		if !bytes.Equal(name[:], p.Name) || !bytes.Equal(encodeDirectory(groups), p.Directory) || len(groups) != len(p.Groups) {
			t.Fatalf("%s pack %s: directory %x", p.Kind, name, encodeDirectory(groups))
		}
		packs[name.String()] = Pack{Name: name, Kind: p.Kind, Size: int64(len(p.Bytes)), Groups: groups}
		// What is written anew differs by the directory's box only.
		again := NewPackWriter(p.Kind, nil)
		for i, g := range p.Groups {
			if groups[i].Offset != g.Offset || groups[i].Stored != g.Stored || !bytes.Equal(raws[i], g.raw()) {
				t.Errorf("%s pack: group %d is %v", p.Kind, i, groups[i])
			}
			again.Add(p.Bytes[g.Offset:g.Offset+g.Stored], groups[i].Chunks)
		}
		b, err := again.Finish(k)
		boxed := len(b) - packTrailer - BoxOverhead - len(p.Directory)
		if err != nil || !bytes.Equal(b[:boxed], p.Bytes[:boxed]) || !bytes.Equal(b[len(b)-packTrailer:], p.Bytes[len(b)-packTrailer:]) {
			t.Errorf("%s pack: it would be written as %x, %v", p.Kind, b, err)
		}
	}
	segment, err := k.OpenSegment(v.Segment.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if name := NameOf(v.Segment.Bytes); !bytes.Equal(name[:], v.Segment.Name) {
		t.Errorf("the segment's name is %s", name)
	}
	if len(segment.Replaces) != len(v.Segment.Replaces) || len(segment.Packs) != len(v.Segment.Packs) {
		t.Fatalf("the segment is %v", segment)
	}
	for i, name := range segment.Replaces {
		if !bytes.Equal(name[:], v.Segment.Replaces[i]) {
			t.Errorf("the segment replaces %s", name)
		}
	}
	for i, name := range v.Segment.Packs {
		if diff := cmp.Diff(packs[hex.EncodeToString(name)], segment.Packs[i]); diff != "" {
			t.Errorf("pack %d of the segment (-want +got):\n%s", i, diff)
		}
	}
}

func (g *groupVector) raw() []byte {
	var raw []byte
	for _, c := range g.Chunks {
		raw = append(raw, c.Bytes...)
	}
	return raw
}

func TestVectorsOfCheckedDocuments(t *testing.T) {
	v, _, _ := readVectors(t)
	if len(v.Checked) == 0 {
		t.Fatal("there are none")
	}
	for _, d := range v.Checked {
		if got := string(AddDigest(d.Key, []byte(d.Text))); got != d.Object {
			t.Errorf("%s is %s", d.Key, got)
		}
		if err := CheckDigest(d.Key, []byte(d.Object)); err != nil {
			t.Error(err)
		}
	}
}

func partOf(e Entry) partVector {
	part := partVector{Length: e.Length, Hole: e.Hole}
	if !e.Hole {
		part.ID = e.ID[:]
	}
	return part
}

// cutVector cuts a stream; neighbouring holes are one.
func cutVector(k *Keys, stream []byte) []partVector {
	var parts []partVector
	c, h := NewCutter(0), k.ChunkHasher()
	for at := 0; at < len(stream); {
		n, hole := c.Next(stream[at:], true)
		if last := len(parts) - 1; hole && last >= 0 && parts[last].Hole {
			parts[last].Length += n
		} else {
			part := partVector{Offset: at, Length: n, Hole: hole}
			if !hole {
				id := h.ID(stream[at : at+n])
				part.ID = id[:]
			}
			parts = append(parts, part)
		}
		at += n
	}
	return parts
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
