package remote

import (
	"context"
	"io"

	"github.com/karbor/karbor/bank"
)

// Ready checks the key of a call that is about to be made, and whether it still is to be.
func Ready(ctx context.Context, key string) error {
	if err := bank.CheckKey(key); err != nil {
		return err
	}
	return ctx.Err()
}

// Fill fills a block. With an empty one it checks that there is nothing to read.
func Fill(r io.Reader, block []byte) error {
	if len(block) == 0 {
		if _, err := r.Read(block); err != io.EOF {
			return err
		}
		return nil
	}
	_, err := io.ReadFull(r, block)
	return err
}
