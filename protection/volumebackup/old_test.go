package volumebackup_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// oldCinder is a cloud whose block storage says that it knows microversion 3.42.
type oldCinder struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (o oldCinder) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := o.base.RoundTrip(r)
	if err != nil || !strings.HasSuffix(strings.TrimRight(r.URL.Path, "/"), "/volume/v3") {
		return response, err
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	text = bytes.ReplaceAll(text, []byte(`"3.70"`), []byte(`"3.42"`))
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return response, err
}
