package drill

import (
	"context"
	"crypto/md5"  //nolint:gosec // Glance's checksum, compared with Glance's own
	"crypto/sha1" //nolint:gosec // likewise, where an operator has chosen it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/drill/filesystem"
	"github.com/karbor/karbor/protection"
)

// statusUploading is the state of an image that is imported, while its bytes come.
const statusUploading images.ImageStatus = "uploading"

// volumeOrigin is from where a volume's bytes are seen.
const volumeOrigin = "karbord, through a temporary image that Cinder made of the restored volume"

// volume reads a restored volume, before anything boots from it, through a temporary image.
func (p *Prober) volume(ctx context.Context, call *protection.Call, s Subject) (evidence.Probe, error) {
	found := evidence.Probe{Target: "volume " + s.ID, Origin: volumeOrigin}
	client, err := openstack.Image(ctx, call.Cloud)
	if err != nil {
		return found, err
	}
	name := imageName(call.OperationID, call.Node.ID)
	image, err := p.upload(ctx, client, call, s, name)
	if err == nil {
		found, err = look(ctx, client, image, s, found, call.Progress)
	}
	clean := removeImages(ctx, call.Cloud, name)
	if clean == nil {
		clean = call.Release(ctx, protection.HeldImage, image)
	}
	if err == nil {
		err = clean
	}
	return found, err
}

// upload has Cinder make an image of a volume, and waits for it.
func (p *Prober) upload(ctx context.Context, client *gophercloud.ServiceClient, call *protection.Call, s Subject, name string) (string, error) {
	find := func(ctx context.Context) (string, error) {
		found, err := findImages(ctx, client, call.Cloud.ProjectID(), name)
		if err != nil || len(found) == 0 {
			return "", err
		}
		return found[0].ID, nil
	}
	h := protection.Holding{Kind: protection.HeldImage, Node: siteOf(call)}
	if s.Content != nil {
		h.GiB = (s.Content.Size + 1<<30 - 1) >> 30
	}
	id, err := openstack.MakeRestored(ctx, call, h, "temporary image of the drill for "+call.Node.ID, find, func(ctx context.Context) (string, error) {
		cinder, err := openstack.BlockStorage(ctx, call.Cloud)
		if err != nil {
			return "", err
		}
		var answer struct {
			Image struct {
				ID string `json:"image_id"`
			} `json:"os-volume_upload_image"`
		}
		ask := map[string]any{"os-volume_upload_image": map[string]any{
			"image_name": name, "disk_format": "raw", "container_format": "bare", "force": true,
		}}
		_, err = cinder.Post(ctx, cinder.ServiceURL("volumes", s.ID, "action"), ask, &answer, //nolint:bodyclose // gophercloud has closed it
			&gophercloud.RequestOpts{OkCodes: []int{http.StatusAccepted}})
		return answer.Image.ID, openstack.Explain(err, "uploading volume %s to an image", s.ID)
	})
	if err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeout(ctx, p.options.ImageTimeout)
	defer cancel()
	return id, openstack.Poll(limited, "the temporary image "+id, p.options.Poll, func(ctx context.Context) (bool, error) {
		i, err := images.Get(ctx, client, id).Extract()
		if err != nil {
			return false, openstack.Explain(err, "reading the temporary image %s", id)
		}
		switch i.Status {
		case images.ImageStatusActive:
			return true, nil
		case images.ImageStatusQueued, images.ImageStatusSaving, images.ImageStatusImporting, statusUploading:
			return false, nil
		default:
			return false, karbor.Errorf(karbor.Conflict, "the temporary image %s went into state %q", id, i.Status)
		}
	})
}

// newHash gives what computes a digest by Glance's word for it; nil if it is not known.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "sha512":
		return sha512.New()
	case "sha256":
		return sha256.New()
	case "sha1":
		return sha1.New() //nolint:gosec // see the import
	case "md5":
		return md5.New() //nolint:gosec // see the import
	default:
		return nil
	}
}

// look reads the image, and says what it has found.
func look(
	ctx context.Context, client *gophercloud.ServiceClient, image string, s Subject, found evidence.Probe, progress func(done, total int64),
) (evidence.Probe, error) {
	if s.Enter != nil {
		leave, err := s.Enter(ctx)
		if err != nil {
			return found, err
		}
		defer leave()
	}
	body, size, err := openstack.DownloadImage(ctx, client, image)
	if err != nil {
		return found, err
	}
	defer func() { _ = body.Close() }()
	var sum hash.Hash
	if s.Probes.Volume.Digest && s.Content != nil && s.Content.Digest != "" {
		sum = newHash(s.Content.Algorithm)
	}
	scan := filesystem.NewScan()
	var reader io.Reader = &protection.Meter{Reader: body, Total: max(size, 0), Report: progress}
	if sum == nil {
		reader = io.LimitReader(reader, filesystem.Reach)
	}
	rest := tail{skip: -1}
	into := []io.Writer{scan}
	if sum != nil {
		rest = tail{skip: s.Content.Size}
		into = append(into, &first{sum, s.Content.Size}, &rest)
	}
	read, err := io.Copy(io.MultiWriter(into...), reader)
	if err != nil {
		return found, err
	}
	return judge(found, s, scan.Findings(), sum, read, rest.dirty), nil
}

// judge says what the bytes of a volume show.
func judge(found evidence.Probe, s Subject, systems []filesystem.Finding, sum hash.Hash, read int64, dirty bool) evidence.Probe {
	found.Target = fmt.Sprintf("%d bytes of volume %s", read, s.ID)
	seen, damaged := filesystem.Describe(systems)
	found.Result = evidence.Passed
	switch {
	case sum == nil:
		found.Reason = "No digest was compared. "
		if s.Probes.Volume.Digest {
			found.Reason = "No digest was compared, though it was asked for: none that can be is known. "
		}
		// A magic number alone shows nothing of what is behind it.
		if !slices.ContainsFunc(systems, func(f filesystem.Finding) bool { return f.State == filesystem.Clean || f.State == filesystem.Open }) {
			found.Result = evidence.Impossible
		}
	case read < s.Content.Size:
		found.Result = evidence.Failed
		found.Reason = fmt.Sprintf("It has %d bytes; %d were protected. ", read, s.Content.Size)
	case hex.EncodeToString(sum.Sum(nil)) != s.Content.Digest:
		found.Result = evidence.Failed
		found.Reason = fmt.Sprintf("The bytes are not those that were protected: the digests (%s) differ. ", s.Content.Algorithm)
	case dirty:
		found.Result = evidence.Failed
		found.Reason = "There is something behind the bytes that were protected. "
	default:
		found.Reason = fmt.Sprintf("The bytes are those that were protected (%s). ", s.Content.Algorithm)
	}
	if damaged {
		found.Result = evidence.Failed
	}
	found.Reason += seen
	return found
}

// first writes only so many bytes on.
type first struct {
	to   io.Writer
	left int64
}

func (f *first) Write(p []byte) (int, error) {
	n := min(int64(len(p)), f.left)
	f.left -= n
	if _, err := f.to.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// tail sees whether something other than zeros follows behind so many bytes; a negative skip is
// for nobody who asks.
type tail struct {
	skip  int64
	dirty bool
}

func (t *tail) Write(p []byte) (int, error) {
	n := min(int64(len(p)), t.skip)
	t.skip -= n
	for _, b := range p[n:] {
		if b != 0 {
			t.dirty = true
			break
		}
	}
	return len(p), nil
}
