package volumeglance

import (
	"context"
	"strings"

	"github.com/karbor/karbor/protection"
)

// drilled is the Drill hook of restore: it tells the digest that Glance gave of the volume's
// bytes when they were protected.
func drilled(ctx context.Context, call *protection.Call) (protection.Drilled, error) {
	var doc document
	if err := call.Documents.GetJSON(ctx, documentKey, &doc); err != nil {
		return protection.Drilled{}, err
	}
	content := &protection.Content{Size: doc.Image.Size, Algorithm: doc.Image.HashAlgo, Digest: strings.ToLower(doc.Image.HashValue)}
	if content.Digest == "" {
		content.Algorithm, content.Digest = "md5", strings.ToLower(doc.Image.Checksum)
	}
	return protection.Drilled{Content: content}, nil
}
