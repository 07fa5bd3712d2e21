package temporal

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// What a payload of ours begins with.
const (
	plain byte = iota
	zipped
)

const (
	// zipFrom is the size from which on a payload is compressed.
	zipFrom = 1024
	// mostUnzipped bounds what a compressed payload may become.
	mostUnzipped = 256 << 20
)

// codec turns graphs and states into payloads and back. It is safe for concurrent use.
type codec struct {
	zip   *zstd.Encoder
	unzip *zstd.Decoder
}

func newCodec() (codec, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return codec{}, err
	}
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(mostUnzipped), zstd.WithDecoderLowmem(true))
	return codec{zip, unzip}, err
}

func (c codec) encode(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(text) < zipFrom {
		return append([]byte{plain}, text...), nil
	}
	return c.zip.EncodeAll(text, []byte{zipped}), nil
}

func (c codec) decode(payload []byte, v any) error {
	if len(payload) == 0 {
		return errors.New("the payload is empty")
	}
	text := payload[1:]
	switch payload[0] {
	case plain:
	case zipped:
		var err error
		if text, err = c.unzip.DecodeAll(text, nil); err != nil {
			return fmt.Errorf("unpacking a payload: %w", err)
		}
	default:
		return fmt.Errorf("the payload is of the unknown kind %d", payload[0])
	}
	return json.Unmarshal(text, v)
}
