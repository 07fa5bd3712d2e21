package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An octets is bytes in hexadecimal digits.
type octets []byte

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

type vectorID struct{ Bytes, ID octets }

type vectorPart struct {
	Offset, Length int
	Hole           bool
	ID             octets
}

// vectors are docs/format/repository-vectors.json as this reader understands it.
type vectors struct {
	MasterKey  octets `json:"master_key"`
	Repository octets
	Domain     string
	Keys       map[string]octets
	Format     struct {
		Text string
		MAC  octets
	} `json:"format_document"`
	ChunkIDs []vectorID `json:"chunk_ids"`
	Box      struct {
		Key, Context     string
		Salt, Plain, Box octets
	}
	Stream struct {
		Size   int
		Areas  []struct{ Offset, Length, Byte int }
		SHA256 octets
		Parts  []vectorPart
	}
	Page struct {
		Size      uint64
		Entries   []vectorPart
		Bytes, ID octets
	}
	Root struct {
		Size  uint64
		Pages []octets
		Bytes octets
	}
	Manifest struct {
		Key, Text string
		Root      octets
	}
	Sealed struct {
		Key, Text, Object string
	} `json:"sealed_document"`
	Checked []struct {
		Key, Text, Object string
	} `json:"checked_documents"`
	Packs []struct {
		Kind                   kind
		Name, Directory, Bytes octets
		Groups                 []struct {
			Offset, Stored int64
			Compression    byte
			Chunks         []vectorID
		}
	}
	Segment struct {
		Name, Bytes     octets
		Replaces, Packs []octets
	}
	Slots []struct {
		Slot, Text, Passphrase string
		KeyFile                string `json:"key_file"`
		Payload                octets
		Recovery               octets `json:"recovery_key"`
	}
}

func readVectors(t testing.TB) (vectors, keys, formatDocument) {
	t.Helper()
	text, err := os.ReadFile("../../docs/format/repository-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	derived, err := deriveKeys(v.MasterKey, [16]byte(v.Repository))
	if err != nil {
		t.Fatal(err)
	}
	format, err := parseFormat([]byte(v.Format.Text), v.Domain)
	if err != nil {
		t.Fatal(err)
	}
	return v, derived, format
}

func TestVectorsOfCheckedDocuments(t *testing.T) {
	v, _, _ := readVectors(t)
	seen := memory{}
	for _, one := range v.Checked {
		members, err := checkedDocument(one.Key, []byte(one.Object))
		if err != nil || len(members) < 5 {
			t.Errorf("%s: %v", one.Key, err)
		}
		for i := range one.Object {
			changed := []byte(one.Object)
			changed[i] ^= 4
			if _, err := checkedDocument(one.Key, changed); err == nil {
				t.Errorf("%s: byte %d may be changed", one.Key, i)
			}
		}
		if _, err := checkedDocument(one.Key, []byte(one.Text)); err == nil {
			t.Errorf("%s: the digest may be missing", one.Key)
		}
		seen[one.Key] = []byte(one.Object)
	}
	sessions, epochs, leases, err := checkProtocol(seen, v.Domain)
	if err != nil || sessions != 1 || epochs != 1 || leases != 1 {
		t.Errorf("%d sessions, %d epochs, %d leases: %v", sessions, epochs, leases, err)
	}
}

func TestDomainThatAsksForMoreIsRefused(t *testing.T) {
	bank := goldenBank(t)
	prefix := "v1/repositories/" + goldenDomain + "/requires/"
	bank[prefix+"writers/extents"] = []byte("{}")
	if _, err := openRepository(bank, goldenDomain, goldenWay(t, "master-key-file")); err != nil {
		t.Errorf("more of writers: %v", err)
	}
	bank[prefix+"readers/another-cipher"] = []byte("{}")
	if _, err := openRepository(bank, goldenDomain, goldenWay(t, "master-key-file")); err == nil {
		t.Error("more of readers is asked for, and it is read")
	}
}

func TestVectorsOfKeysBoxesAndSlots(t *testing.T) {
	v, k, format := readVectors(t)
	all := map[string][]byte{"chunk id": k.chunkID, "page id": k.pageID, "group": k.group, "directory": k.directory,
		"index": k.index, "manifest": k.manifest, "document": k.document, "format": k.format}
	for name, key := range all {
		if !bytes.Equal(v.Keys[name], key) {
			t.Errorf("the %s key is another", name)
		}
	}
	if mac := format.formatMAC(k.format); !bytes.Equal(mac[:], v.Format.MAC) || format.check(k.format) != nil {
		t.Errorf("the mac is %x", mac)
	}
	for _, chunk := range v.ChunkIDs {
		if got := keyed(k.chunkID, chunk.Bytes); !bytes.Equal(got[:], chunk.ID) {
			t.Errorf("the id of %x is %x", chunk.Bytes, got)
		}
	}
	plain, err := openBox(all[v.Box.Key], v.Box.Context, v.Box.Box)
	if err != nil || !bytes.Equal(plain, v.Box.Plain) || !bytes.HasPrefix(v.Box.Box, v.Box.Salt) {
		t.Errorf("in the box is %q, %v", plain, err)
	}
	kinds := map[string]bool{}
	for _, one := range v.Slots {
		got, err := parseSlot([]byte(one.Text), one.Slot)
		if err != nil {
			t.Fatal(err)
		}
		kinds[got.kind] = true
		secret := slices.Concat([]byte(one.Passphrase), one.Payload, one.Recovery)
		if one.KeyFile != "" {
			if secret, err = parseKeyFile(one.KeyFile); err != nil {
				t.Fatal(err)
			}
		}
		if master, err := got.unwrap(format, secret); err != nil || !bytes.Equal(master, v.MasterKey) {
			t.Errorf("the slot of the kind %s does not open: %v", got.kind, err)
		}
	}
	if len(kinds) != 4 {
		t.Errorf("kinds of slots: %v", kinds)
	}
}

func TestVectorsOfStreamsAndRecipes(t *testing.T) {
	v, k, format := readVectors(t)
	stream := make([]byte, v.Stream.Size+8)
	for i := 0; i < v.Stream.Size; i += 8 {
		z := (uint64(i/8) + 1) * 0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		binary.LittleEndian.PutUint64(stream[i:], z^z>>31)
	}
	stream = stream[:v.Stream.Size]
	for _, area := range v.Stream.Areas {
		for i := range area.Length {
			stream[area.Offset+i] = byte(area.Byte)
		}
	}
	if digest := sha256.Sum256(stream); !bytes.Equal(digest[:], v.Stream.SHA256) {
		t.Fatalf("the stream has the digest %x", digest)
	}
	pieces, offset := cut(stream), 0
	for i := range pieces {
		if content := stream[offset:][:pieces[i].length]; !pieces[i].hole {
			pieces[i].id = keyed(k.chunkID, content)
		}
		offset += int(pieces[i].length)
	}
	samePieces(t, "the stream", v.Stream.Parts, pieces)
	for i, offset := 0, 0; i < len(v.Stream.Parts); i++ {
		if v.Stream.Parts[i].Offset != offset {
			t.Errorf("part %d begins at %d", i, v.Stream.Parts[i].Offset)
		}
		offset += v.Stream.Parts[i].Length
	}
	pieces, err := parsePage(v.Page.Bytes, v.Page.Size)
	if err != nil {
		t.Fatal(err)
	}
	samePieces(t, "the page", v.Page.Entries, pieces)
	if got := keyed(k.pageID, v.Page.Bytes); !bytes.Equal(got[:], v.Page.ID) {
		t.Errorf("the page's id is %x", got)
	}
	begin, err := parseRoot(v.Root.Bytes)
	if err != nil || begin.size != v.Root.Size || len(begin.pages) != len(v.Root.Pages) {
		t.Fatalf("the root is %v, %v", begin, err)
	}
	for i, page := range begin.pages {
		if !bytes.Equal(page[:], v.Root.Pages[i]) {
			t.Errorf("page %d of the root is %x", i, page)
		}
	}
	found, err := parseManifest([]byte(v.Manifest.Text), format)
	if err != nil || found.size != v.Root.Size {
		t.Fatalf("the manifest is %v, %v", found, err)
	}
	content, err := openBox(k.manifest, "karbor/1 manifest|"+v.Manifest.Key, found.box)
	if err != nil || !bytes.Equal(content, v.Manifest.Root) {
		t.Errorf("the manifest's root is %x, %v", content, err)
	}
}

func samePieces(t *testing.T, what string, want []vectorPart, got []piece) {
	t.Helper()
	pieces := make([]piece, len(want))
	for i, one := range want {
		pieces[i] = piece{length: uint32(one.Length), hole: one.Hole}
		copy(pieces[i].id[:], one.ID)
	}
	if diff := cmp.Diff(pieces, got, cmp.AllowUnexported(piece{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestVectorsOfPacksAndSegments(t *testing.T) {
	v, k, _ := readVectors(t)
	directories := map[id][]groupEntry{}
	sizes := map[id]int64{}
	for _, one := range v.Packs {
		name := id(one.Name)
		if sha256.Sum256(one.Bytes) != name {
			t.Errorf("a pack has another name than %x", name)
		}
		bank := memory{"pack": one.Bytes}
		groups, err := k.readDirectory(bank, "pack", one.Kind)
		if err != nil || len(groups) != len(one.Groups) {
			t.Fatalf("the directory is %v, %v", groups, err)
		}
		space := int64(len(one.Bytes)) - packHead - packTail - boxOverhead - int64(len(one.Directory))
		again, err := parseDirectory(one.Kind, slices.Clone(one.Directory), space)
		if diff := cmp.Diff(groups, again, cmp.AllowUnexported(groupEntry{}, chunkEntry{})); diff != "" || err != nil {
			t.Errorf("the directory: %v\n%s", err, diff)
		}
		for i, want := range one.Groups {
			got := groups[i]
			if got.offset != want.Offset || got.stored != want.Stored || len(got.chunks) != len(want.Chunks) {
				t.Fatalf("group %d is %v", i, got)
			}
			raw, err := k.openGroup(one.Kind, one.Bytes[got.offset:got.offset+got.stored], got.raw)
			if err != nil {
				t.Fatal(err)
			}
			for j, chunk := range want.Chunks {
				length := got.chunks[j].length
				if !bytes.Equal(raw[:length], chunk.Bytes) || !bytes.Equal(got.chunks[j].id[:], chunk.ID) {
					t.Errorf("chunk %d of group %d is %x", j, i, raw[:length])
				}
				raw = raw[length:]
			}
		}
		directories[name], sizes[name] = groups, int64(len(one.Bytes))
	}
	one, err := k.openSegment(v.Segment.Bytes, id(v.Segment.Name))
	if err != nil || len(one.replaces) != 1 || !bytes.Equal(one.replaces[0][:], v.Segment.Replaces[0]) {
		t.Fatalf("the segment is %v, %v", one, err)
	}
	for i, pack := range one.packs {
		if !bytes.Equal(pack.name[:], v.Segment.Packs[i]) || pack.size != sizes[pack.name] {
			t.Errorf("pack %d of the segment is %x, with %d bytes", i, pack.name, pack.size)
		}
		if diff := cmp.Diff(directories[pack.name], pack.groups, cmp.AllowUnexported(groupEntry{}, chunkEntry{})); diff != "" {
			t.Errorf("pack %d of the segment (-want +got):\n%s", i, diff)
		}
	}
	if len(one.packs) != len(directories) {
		t.Errorf("the segment has %d packs", len(one.packs))
	}
}
