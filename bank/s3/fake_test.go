package s3_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a store that speaks enough S3 for the bank, and fails on request.
type fake struct {
	*httptest.Server

	mu       sync.Mutex
	versions map[string][]stored // by name, the oldest first
	uploads  map[string]*parts
	last     int
	requests []string
	header   http.Header // on each answer
	// What it can do.
	versioned, ignoresConditions, ordersByFolder, ignoresRanges bool
	lockRule                                                    string // "", "on" or "default"
	// noRetention refuses to lock what is there, forgetsLocks does nothing about it.
	noRetention, forgetsLocks bool
	// hook may answer in its place.
	hook func(w http.ResponseWriter, r *http.Request, body []byte) bool
	// lag hides objects younger than so many requests from lists.
	lag int
}

type stored struct {
	id     string
	marker bool
	data   []byte
	at     time.Time
	until  time.Time
	born   int // the number of the request
}

type parts struct {
	name  string
	until time.Time
	data  map[int][]byte
}

func newFake(t testing.TB) *fake {
	f := &fake{versions: map[string][]stored{}, uploads: map[string]*parts{}, header: http.Header{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

const fakeBucket = "karbor-one"

func (f *fake) setHook(hook func(w http.ResponseWriter, r *http.Request, body []byte) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// ServeHTTP implements http.Handler.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	hook := f.hook
	f.mu.Unlock()
	if hook != nil && hook(w, r, body) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r.Method+" "+r.URL.RequestURI())
	maps.Copy(w.Header(), f.header)
	path := strings.TrimPrefix(r.URL.Path, "/"+fakeBucket)
	if path == r.URL.Path {
		fail(w, 404, "NoSuchBucket")
		return
	}
	if sum := r.Header.Get("X-Amz-Content-Sha256"); len(sum) == 64 && sum != hex.EncodeToString(hash(body)) {
		fail(w, 400, "XAmzContentSHA256Mismatch")
		return
	}
	if name := strings.TrimPrefix(path, "/"); name != "" {
		f.object(w, r, name, body)
		return
	}
	f.bucket(w, r)
}

func hash(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>the key is karbortest-secret</Message><RequestId>R1</RequestId></Error>", code)
}

func (f *fake) bucket(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodHead:
	case q.Has("object-lock"):
		switch f.lockRule {
		case "":
			fail(w, 404, "ObjectLockConfigurationNotFoundError")
		case "on":
			_, _ = io.WriteString(w, "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>")
		default:
			_, _ = io.WriteString(w, "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>")
		}
	case q.Has("versioning"):
		status := ""
		if f.versioned {
			status = "<Status>Enabled</Status>"
		}
		_, _ = io.WriteString(w, "<VersioningConfiguration>"+status+"</VersioningConfiguration>")
	case q.Has("uploads"):
		type upload struct {
			Key       string
			UploadID  string `xml:"UploadId"`
			Initiated string
		}
		var out struct {
			XMLName xml.Name `xml:"ListMultipartUploadsResult"`
			Upload  []upload
		}
		for id, u := range f.uploads {
			out.Upload = append(out.Upload, upload{u.name, id, "2020-01-01T00:00:00.000Z"})
		}
		_ = xml.NewEncoder(w).Encode(out)
	case q.Has("versions"):
		f.listVersions(w, q.Get("prefix"), q.Get("delimiter"), q.Get("key-marker"), q.Get("version-id-marker"), q.Get("max-keys"))
	default:
		f.list(w, q.Get("prefix"), q.Get("start-after"), q.Get("continuation-token"), q.Get("max-keys"))
	}
}

func (f *fake) shows(v stored) bool { return f.lag == 0 || len(f.requests)-v.born > f.lag }

func maxKeys(text string) int {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return min(n, 1000)
	}
	return 1000
}

type listed struct {
	Key, LastModified string
	Size              int
}

func (f *fake) list(w http.ResponseWriter, prefix, after, token, limit string) {
	var out struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Contents              []listed
		IsTruncated           bool
		NextContinuationToken string
	}
	for _, name := range slices.Sorted(maps.Keys(f.versions)) {
		all := f.versions[name]
		v := all[len(all)-1]
		if v.marker || !strings.HasPrefix(name, prefix) || name <= max(after, token) || !f.shows(v) {
			continue
		}
		if len(out.Contents) == maxKeys(limit) {
			out.IsTruncated, out.NextContinuationToken = true, out.Contents[len(out.Contents)-1].Key
			break
		}
		out.Contents = append(out.Contents, listed{name, v.at.UTC().Format("2006-01-02T15:04:05.000Z"), len(v.data)})
	}
	_ = xml.NewEncoder(w).Encode(out)
}

func (f *fake) listVersions(w http.ResponseWriter, prefix, delimiter, after, afterID, limit string) {
	names := slices.Sorted(maps.Keys(f.versions))
	if f.ordersByFolder {
		slices.SortFunc(names, func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) })
	}
	var text bytes.Buffer
	n, truncated, folder := 0, "", ""
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if at := strings.Index(name[len(prefix):], "/"); delimiter != "" && at >= 0 {
			if sub := name[:len(prefix)+at+1]; sub != folder {
				folder = sub
				_, _ = fmt.Fprintf(&text, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", sub)
			}
			continue
		}
		if name < after || name == after && afterID == "" && !f.ordersByFolder {
			continue
		}
		all := slices.Clone(f.versions[name])
		slices.Reverse(all)
		seen := name != after || afterID == ""
		for _, v := range all {
			if !seen {
				seen = v.id == afterID
				continue
			}
			if n == maxKeys(limit) {
				truncated = "<IsTruncated>true</IsTruncated>" + truncated
				break
			}
			n++
			kind := "Version"
			if v.marker {
				kind = "DeleteMarker"
			}
			_, _ = fmt.Fprintf(&text, "<%s><Key>%s</Key><VersionId>%s</VersionId><LastModified>%s</LastModified><Size>%d</Size></%s>",
				kind, name, v.id, v.at.UTC().Format("2006-01-02T15:04:05.000Z"), len(v.data), kind)
			truncated = fmt.Sprintf("<NextKeyMarker>%s</NextKeyMarker><NextVersionIdMarker>%s</NextVersionIdMarker>", name, v.id)
		}
		if strings.HasPrefix(truncated, "<IsTruncated>") {
			break
		}
	}
	if !strings.HasPrefix(truncated, "<IsTruncated>") {
		truncated = ""
	}
	_, _ = fmt.Fprintf(w, "<ListVersionsResult>%s%s</ListVersionsResult>", truncated, text.Bytes())
}

func (f *fake) object(w http.ResponseWriter, r *http.Request, name string, body []byte) {
	q := r.URL.Query()
	switch {
	case q.Has("uploads"):
		f.last++
		id := fmt.Sprint("upload", f.last)
		until, _ := time.Parse(time.RFC3339, r.Header.Get("X-Amz-Object-Lock-Retain-Until-Date"))
		f.uploads[id] = &parts{name, until, map[int][]byte{}}
		_, _ = fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
	case q.Has("uploadId"):
		f.upload(w, r, name, q.Get("uploadId"), body)
	case q.Has("retention") && r.Method == http.MethodGet:
		f.retention(w, name, q.Get("versionId"))
	case q.Has("retention"):
		f.retain(w, name, q.Get("versionId"), body)
	case r.Method == http.MethodPut:
		until, _ := time.Parse(time.RFC3339, r.Header.Get("X-Amz-Object-Lock-Retain-Until-Date"))
		if !until.IsZero() && r.Header.Get("Content-Md5") == "" {
			fail(w, 400, "InvalidRequest")
			return
		}
		f.write(w, r, name, body, until)
	case r.Method == http.MethodDelete:
		f.remove(w, name, q.Get("versionId"))
	default:
		f.read(w, r, name, q.Get("versionId"))
	}
}

func (f *fake) write(w http.ResponseWriter, r *http.Request, name string, body []byte, until time.Time) bool {
	all := f.versions[name]
	there := len(all) > 0 && !all[len(all)-1].marker
	if r.Header.Get("If-None-Match") == "*" && there && !f.ignoresConditions {
		fail(w, 412, "PreconditionFailed")
		return false
	}
	v := stored{data: body, at: time.Now(), until: until, born: len(f.requests)}
	if f.versioned {
		f.last++
		v.id = fmt.Sprint("v", f.last)
		f.versions[name] = append(all, v)
		w.Header().Set("X-Amz-Version-Id", v.id)
	} else {
		f.versions[name] = []stored{v}
	}
	w.Header().Set("ETag", etag(body))
	return true
}

func etag(body []byte) string { return fmt.Sprintf(`"%x"`, md5.Sum(body)) }

func (f *fake) upload(w http.ResponseWriter, r *http.Request, name, id string, body []byte) {
	u := f.uploads[id]
	switch {
	case u == nil:
		fail(w, 404, "NoSuchUpload")
	case r.Method == http.MethodPut:
		n, _ := strconv.Atoi(r.URL.Query().Get("partNumber"))
		u.data[n] = body
		w.Header().Set("ETag", etag(body))
	case r.Method == http.MethodDelete:
		delete(f.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost:
		var all []byte
		for _, n := range slices.Sorted(maps.Keys(u.data)) {
			all = append(all, u.data[n]...)
		}
		if f.write(w, r, name, all, u.until) {
			delete(f.uploads, id)
			_, _ = fmt.Fprintf(w, "<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><ETag>x</ETag></CompleteMultipartUploadResult>", fakeBucket, name)
		}
	default:
		_, _ = io.WriteString(w, "<ListPartsResult></ListPartsResult>")
	}
}

// retention tells until when a version is locked.
func (f *fake) retention(w http.ResponseWriter, name, id string) {
	all := f.versions[name]
	at := slices.IndexFunc(all, func(v stored) bool { return v.id == id })
	if at < 0 || all[at].until.IsZero() {
		fail(w, 404, "NoSuchObjectLockConfiguration")
		return
	}
	_, _ = fmt.Fprintf(w, "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>%s</RetainUntilDate></Retention>", all[at].until.UTC().Format(time.RFC3339))
}

// retain locks a version, or lengthens its lock.
func (f *fake) retain(w http.ResponseWriter, name, id string, body []byte) {
	var asked struct{ RetainUntilDate time.Time }
	all := f.versions[name]
	at := slices.IndexFunc(all, func(v stored) bool { return v.id == id })
	switch err := xml.Unmarshal(body, &asked); {
	case f.noRetention:
		fail(w, 403, "AccessDenied")
	case err != nil || at < 0:
		fail(w, 404, "NoSuchVersion")
	case asked.RetainUntilDate.Before(all[at].until):
		fail(w, 403, "AccessDenied")
	case f.forgetsLocks:
	default:
		f.versions[name] = slices.Clone(all)
		f.versions[name][at].until = asked.RetainUntilDate
	}
}

func (f *fake) remove(w http.ResponseWriter, name, id string) {
	all := f.versions[name]
	switch {
	case f.versioned && id == "":
		f.last++
		f.versions[name] = append(all, stored{id: fmt.Sprint("v", f.last), marker: true, at: time.Now()})
	case f.versioned:
		at := slices.IndexFunc(all, func(v stored) bool { return v.id == id })
		if at >= 0 && time.Now().Before(all[at].until) {
			fail(w, 403, "AccessDenied")
			return
		}
		if at >= 0 {
			f.versions[name] = slices.Delete(slices.Clone(all), at, at+1)
		}
		if len(f.versions[name]) == 0 {
			delete(f.versions, name)
		}
	default:
		delete(f.versions, name)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (f *fake) read(w http.ResponseWriter, r *http.Request, name, id string) {
	all := f.versions[name]
	at := len(all) - 1
	if id != "" {
		at = slices.IndexFunc(all, func(v stored) bool { return v.id == id })
	}
	if at < 0 || all[at].marker {
		fail(w, 404, "NoSuchKey")
		return
	}
	v := all[at]
	w.Header().Set("ETag", etag(v.data))
	w.Header().Set("Content-Type", "application/octet-stream")
	if !v.until.IsZero() && at == len(all)-1 {
		w.Header().Set("X-Amz-Object-Lock-Retain-Until-Date", v.until.Format(time.RFC3339))
	}
	if f.ignoresRanges {
		r.Header.Del("Range")
	}
	http.ServeContent(w, r, "", v.at, bytes.NewReader(v.data))
}
