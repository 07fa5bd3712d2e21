package format

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
)

// vectorMaker makes the vectors, with salts that are not random, so that they are the same each time.
type vectorMaker struct {
	t    *testing.T
	v    vectors
	k    *Keys
	d    *Document
	salt byte
}

var vectorTime = time.Date(2026, 11, 21, 8, 30, 0, 250_000_000, time.UTC)

func writeVectors(t *testing.T) {
	t.Helper()
	m := &vectorMaker{t: t}
	m.v.About = "Test vectors of repository/1, see repository.md. Bytes are in hexadecimal digits. Salts of boxes are " +
		"not random here, as they have to be elsewhere. Never use these keys."
	m.v.MasterKey, m.v.Repository, m.v.Domain = sequence(0x40, 32), sequence(0xa0, 16), "c0ffee00c0ffee00c0ffee00c0ffee00"
	var err error
	m.d, err = NewDocument(m.v.Domain, RepositoryID(m.v.Repository), Key(m.v.MasterKey), vectorTime)
	m.check(err)
	m.k, err = m.d.Unlock(Key(m.v.MasterKey))
	m.check(err)
	m.v.Format.Text = m.text(m.d)
	m.v.Format.TextOfMAC = "repository/1|" + m.d.Repository + "|" + m.d.Domain + "|" + m.d.CreatedAt + "|hmac-sha-256|aes-256-gcm"
	m.v.Format.MAC, err = hex.DecodeString(m.d.MAC)
	m.check(err)
	m.v.Keys = map[string]octets{}
	for name, key := range m.k.named() {
		m.v.Keys[name] = key[:]
	}
	for _, chunk := range [][]byte{{0}, []byte("karbor"), sequence(0, 256)} {
		m.v.ChunkIDs = append(m.v.ChunkIDs, m.chunk(chunk))
	}
	m.box()
	m.stream()
	m.packs()
	m.recipe()
	m.slots()
	m.sealed()
	m.checked()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	m.check(encoder.Encode(&m.v))
	m.check(os.WriteFile(vectorsFile, out.Bytes(), 0o600))
}

func (m *vectorMaker) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *vectorMaker) text(v any) string {
	text, err := json.Marshal(v)
	m.check(err)
	return string(text)
}

// sequence gives n bytes, each one more than the last.
func sequence(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

// seal makes a box with the next salt.
func (m *vectorMaker) seal(dst []byte, key *Key, context string, plain []byte) []byte {
	m.salt += saltSize
	dst, err := sealSalted(dst, key, context, plain, [saltSize]byte(sequence(m.salt, saltSize)))
	m.check(err)
	return dst
}

func (m *vectorMaker) chunk(b []byte) idVector {
	id := m.k.ChunkHasher().ID(b)
	return idVector{b, id[:]}
}

func (m *vectorMaker) box() {
	b := &m.v.Box
	b.Key, b.Plain = "document", []byte("what is in the box")
	b.Context = documentContext("v1/checkpoints/p/c/nodes/volume/v/documents/metadata")
	b.Salt = sequence(m.salt+saltSize, saltSize)
	b.Box = m.seal(nil, &m.k.document, b.Context, b.Plain)
}

func (m *vectorMaker) sealed() {
	s := &m.v.Sealed
	s.Key, s.Text = "v1/checkpoints/p/c/nodes/volume/v/documents/metadata", `{"name":"käse \u003c1\u003e"}`
	s.Object = string(envelope(m.d, m.seal(nil, &m.k.document, documentContext(s.Key), []byte(s.Text))))
}

// checked makes the documents that end with their digest.
func (m *vectorMaker) checked() {
	pack := hex.EncodeToString(m.v.Packs[0].Name)
	const times = `"renewed_at":"2026-11-21T08:30:00.25Z","expires_at":"2026-11-21T08:40:00.25Z"`
	prefix := "v1/repositories/" + m.v.Domain + "/"
	for _, d := range [][2]string{
		{prefix + "sessions/20000000-0000-4000-8000-000000000001/00000002", `{"format":"repository/1","session":` +
			`"20000000-0000-4000-8000-000000000001","sequence":2,"epoch":1,"keeps":["` + pack + `"],` + times + `}`},
		{prefix + "epochs/00000001", `{"format":"repository/1","epoch":1,"condemned":["` + pack + `"],"gone":[],"created_at":"2026-11-21T08:30:00Z"}`},
		{prefix + "collectors/00000003", `{"format":"repository/1","collector":"20000000-0000-4000-8000-000000000002","sequence":3,` + times + `,"done":false}`},
		{"v1/leases/site.one/00000017", `{"layout":1,"owner":"site.one","instance":"20000000-0000-4000-8000-000000000003","sequence":17,` + times + `}`},
	} {
		m.v.Checked = append(m.v.Checked, sealedVector{d[0], d[1], string(AddDigest(d[0], []byte(d[1])))})
	}
}

func (m *vectorMaker) stream() {
	s := &m.v.Stream
	s.About = "Bytes 8i to 8i+7 are, little-endian, the number i (from 0 on) of SplitMix64 with the seed 0: with 64-bit " +
		"arithmetic, z = (i+1) * 0x9E3779B97F4A7C15; z = (z ^ z>>30) * 0xBF58476D1CE4E5B9; z = (z ^ z>>27) * " +
		"0x94D049BB133111EB; z ^ z>>31. Then the areas are filled with their byte."
	s.Size = 2_000_000
	s.Areas = []areaVector{
		{6 << 16, 3 << 16, 0},                          // a hole of three granules
		{700_000, 100_000, 0},                          // a hole of one granule, with zeros around
		{1_000_000, 400_000, constant(m.t, false)},     // is cut nowhere
		{23 << 16, 2 << 16, constant(m.t, true)},       // is cut wherever it may be
		{s.Size - s.Size%Granule, s.Size % Granule, 0}, // the last granule is short, and a hole
	}
	stream := s.bytes()
	name := NameOf(stream)
	s.SHA256, s.Parts = name[:], cutVector(m.k, stream)
}

// constant finds a byte of which a block ends a chunk or not.
func constant(t *testing.T, cuts bool) byte {
	for b := byte(1); b > 0; b++ {
		if (xxhash.Sum64(bytes.Repeat([]byte{b}, Block))&cutMask == 0) == cuts {
			return b
		}
	}
	t.Fatal("there is no such byte")
	return 0
}

func (m *vectorMaker) packs() {
	text := bytes.Repeat([]byte("karbor "), 20)
	var pages []idVector
	for _, page := range []Page{{{Length: 6, ID: ID(m.chunk([]byte("karbor")).ID)}, {Length: 65536, Hole: true}},
		{{Length: 65536, Hole: true}, {Length: 1, ID: ID(m.v.ChunkIDs[0].ID)}}} {
		id := m.k.PageHasher().ID(page.Encode(nil))
		pages = append(pages, idVector{page.Encode(nil), id[:]})
	}
	m.pack(Data, []groupVector{
		{Compression: None, Chunks: m.v.ChunkIDs[:2]}, {Compression: Zstd, Chunks: []idVector{m.chunk(text), m.v.ChunkIDs[2]}},
		{Compression: S2, Chunks: []idVector{m.chunk(text[:100])}},
	})
	m.pack(Pages, []groupVector{{Compression: None, Chunks: pages[:1]}, {Compression: None, Chunks: pages[1:]}})
	plain := binary.LittleEndian.AppendUint32(nil, 1)
	m.v.Segment.Replaces = []octets{sequence(0x11, 32)}
	plain = append(plain, m.v.Segment.Replaces[0]...)
	plain = binary.LittleEndian.AppendUint32(plain, uint32(len(m.v.Packs)))
	for _, p := range m.v.Packs {
		m.v.Segment.Packs = append(m.v.Segment.Packs, p.Name)
		plain = append(append(plain, p.Name...), byte(p.Kind))
		plain = binary.LittleEndian.AppendUint64(plain, uint64(len(p.Bytes)))
		plain = binary.LittleEndian.AppendUint32(plain, uint32(len(p.Directory)))
		plain = append(plain, p.Directory...)
	}
	head := append([]byte(segmentMagic), packVersion, 0, 0, 0, 0, 0, 0, 0)
	m.v.Segment.Bytes = m.seal(head, &m.k.index, segmentContext, plain)
	name := NameOf(m.v.Segment.Bytes)
	m.v.Segment.Name = name[:]
}

func (m *vectorMaker) pack(kind Kind, groups []groupVector) {
	b := append([]byte(packMagic), packVersion, byte(kind), 0, 0, 0, 0, 0, 0)
	var entries []Group
	for i := range groups {
		g := &groups[i]
		compressor := newTools(m.t, g.Compression).c
		body := make([]byte, groupHeader)
		binary.LittleEndian.PutUint32(body[4:], uint32(len(g.raw())))
		body, way := compressor.compress(body, g.raw())
		if body[0] = byte(way); way != g.Compression {
			m.t.Fatalf("the compression is %d", way)
		}
		g.Offset = len(b)
		b = m.seal(b, &m.k.group, kind.groupContext(), body)
		g.Stored = len(b) - g.Offset
		entry := Group{Offset: g.Offset, Stored: g.Stored, Raw: len(g.raw())}
		for _, c := range g.Chunks {
			entry.Chunks = append(entry.Chunks, Chunk{ID(c.ID), len(c.Bytes)})
		}
		entries = append(entries, entry)
	}
	directory, offset := encodeDirectory(entries), len(b)
	b = m.seal(b, &m.k.directory, kind.directoryContext(), directory)
	length := len(b) - offset
	b = binary.LittleEndian.AppendUint64(b, uint64(offset))
	b = binary.LittleEndian.AppendUint64(b, uint64(length))
	b = append(b, packEnd...)
	name := NameOf(b)
	m.v.Packs = append(m.v.Packs, packVector{Kind: kind, Name: name[:], Directory: directory, Groups: groups, Bytes: b})
}

func (m *vectorMaker) recipe() {
	var page Page
	for _, part := range m.v.Stream.Parts {
		e := Entry{Length: part.Length, Hole: part.Hole}
		copy(e.ID[:], part.ID)
		page = append(page, e)
		m.v.Page.Entries = append(m.v.Page.Entries, partOf(e))
	}
	id := m.k.PageHasher().ID(page.Encode(nil))
	m.v.Page.Size, m.v.Page.Bytes, m.v.Page.ID = page.Size(), page.Encode(nil), id[:]
	root := &Root{Size: 2*Span + page.Size(), Pages: []ID{id, {}, id}}
	m.v.Root.Size, m.v.Root.Bytes = root.Size, root.Encode()
	for i := range root.Pages {
		m.v.Root.Pages = append(m.v.Root.Pages, root.Pages[i][:])
	}
	v := &m.v.Manifest
	v.Key = "v1/checkpoints/" + m.v.Domain + "/5f0c3c1e-6a0b-4f57-9a58-1f1f1f1f1f1f/nodes/volume/v/data/disk/manifest"
	v.Root = root.Encode()
	v.Text = m.text(&Manifest{Format: Version, Domain: m.d.Domain, Repository: m.d.Repository, Size: root.Size,
		Root: base64Of(m.seal(nil, &m.k.manifest, manifestContext(v.Key), v.Root))})
}

func (m *vectorMaker) slots() {
	wrapping := hex.EncodeToString(sequence(0x70, 32))
	for i, s := range []struct {
		slot   Slot
		vector slotVector
	}{
		{Slot{Kind: PassphraseSlot, Label: "by heart", Salt: base64Of(sequence(0x20, 16)), Time: 2, MemoryKiB: 64, Threads: 2},
			slotVector{Passphrase: "correct horse battery staple, käse"}},
		{Slot{Kind: FileSlot, Label: "a file"}, slotVector{KeyFile: "\t" + wrapping + " \r\n"}},
		{Slot{Kind: BarbicanSlot, Secret: "https://barbican.example/v1/secrets/1"}, slotVector{Payload: sequence(0x80, 32)}},
		{Slot{Kind: RecoverySlot, Label: "in the safe"}, slotVector{Recovery: sequence(0x90, 32)}},
	} {
		s.slot.Format, s.slot.CreatedAt = Version, vectorTime.Format(timeFormat)
		s.slot.Slot = "10000000-0000-4000-8000-00000000000" + string(rune('1'+i))
		s.vector.Slot = s.slot.Slot
		kek, err := s.vector.key(&s.slot)
		m.check(err)
		s.slot.Wrapped = base64Of(m.seal(nil, &kek, s.slot.context(m.d), m.v.MasterKey))
		s.vector.Text = m.text(&s.slot)
		m.v.Slots = append(m.v.Slots, s.vector)
	}
}
