package volumeglance_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/karbor/karbor"
)

// unit is how many bytes the miniature's volumes have for each GiB.
const unit = 96 << 10

// miniature answers for volumes and snapshots in place of the cloud that it stands
// before, with states that pass at the second look, and with so few bytes in each
// volume that hundreds of round trips take seconds. Images are the cloud's own.
type miniature struct {
	base http.RoundTripper

	mu        sync.Mutex
	volumes   map[string]*thing
	snapshots map[string]*thing
	// asked counts the actions on volumes, by name; after, if any, is told of each, and must not
	// ask the miniature.
	asked map[string]int
	after func(action string)
}

// thing is a volume or a snapshot.
type thing struct {
	members map[string]any
	bytes   []byte
	// next is the state that it goes into at the next look but one; then runs
	// before that.
	next  string
	looks int
	then  func()
	// key is the secret of an encrypted one.
	key string
}

func newMiniature() *miniature {
	return &miniature{base: http.DefaultTransport, volumes: map[string]*thing{}, snapshots: map[string]*thing{}, asked: map[string]int{}}
}

var miniaturePath = regexp.MustCompile(`/(volumes|snapshots)(/[^/]+)?(/action|/encryption|/metadata/karbor_restoring)?$`)

// RoundTrip implements http.RoundTripper.
func (m *miniature) RoundTrip(r *http.Request) (*http.Response, error) {
	parts := miniaturePath.FindStringSubmatch(r.URL.Path)
	if !strings.HasPrefix(r.URL.Path, "/volume") || parts == nil {
		return m.base.RoundTrip(r)
	}
	var body map[string]map[string]any
	if r.Body != nil {
		_ = json.NewDecoder(r.Body).Decode(&body)
		_ = r.Body.Close()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	things := m.volumes
	if parts[1] == "snapshots" {
		things = m.snapshots
	}
	one, id := strings.TrimSuffix(parts[1], "s"), strings.TrimPrefix(parts[2], "/")
	status := http.StatusOK
	var answer any
	switch found := things[id]; {
	case r.Method == http.MethodPost && id == "":
		status, answer = m.create(r, one, body[one])
	case id == "" || id == "detail":
		answer = map[string]any{parts[1]: m.list(things, r.URL.Query())}
	case found == nil:
		status, answer = refuse(http.StatusNotFound, "could not be found")
	case parts[3] == "/encryption":
		answer = map[string]any{"encryption_key_id": found.key}
	case strings.HasPrefix(parts[3], "/metadata/"):
		metadata, _ := found.members["metadata"].(map[string]any)
		delete(metadata, strings.TrimPrefix(parts[3], "/metadata/"))
	case parts[3] != "":
		status, answer = m.act(r, found, body)
	case r.Method == http.MethodDelete:
		status, answer = m.remove(r, things, found)
	default:
		found.look()
		answer = map[string]any{one: found.members}
		if things[id] == nil {
			status, answer = refuse(http.StatusNotFound, "could not be found")
		}
	}
	text, err := json.Marshal(answer)
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text))}, err
}

func refuse(status int, message string) (int, any) {
	return status, map[string]any{"error": map[string]any{"code": status, "message": message}}
}

// look passes time.
func (x *thing) look() {
	if x.next == "" {
		return
	}
	if x.looks++; x.looks < 2 {
		return
	}
	if x.then != nil {
		x.then()
	}
	x.members["status"], x.next, x.looks, x.then = x.next, "", 0, nil
}

func (x *thing) change(now, next string, then func()) {
	x.members["status"], x.next, x.looks, x.then = now, next, 0, then
}

func (m *miniature) list(things map[string]*thing, query url.Values) []any {
	out := []any{}
	for _, x := range things {
		if name := query.Get("name"); name == "" || name == x.members["name"] {
			out = append(out, x.members)
		}
	}
	return out
}

func (m *miniature) create(r *http.Request, kind string, ask map[string]any) (int, any) {
	id := karbor.NewID()
	x := &thing{members: map[string]any{"id": id, "availability_zone": "nova", "volume_type": "__DEFAULT__", "bootable": "false", "encrypted": false}}
	maps.Copy(x.members, ask)
	delete(x.members, "imageRef")
	things, from := m.volumes, &thing{}
	switch {
	case kind == "snapshot":
		things, from = m.snapshots, m.volumes[fmt.Sprint(ask["volume_id"])]
	case ask["snapshot_id"] != nil:
		from = m.snapshots[fmt.Sprint(ask["snapshot_id"])]
	}
	if from == nil {
		return http.StatusNotFound, map[string]any{}
	}
	x.bytes = bytes.Clone(from.bytes)
	key := ""
	if from.members != nil {
		x.members["encrypted"], x.members["volume_type"] = from.members["encrypted"], from.members["volume_type"]
		key = from.key
	}
	if from.members == nil {
		gibs, _ := ask["size"].(float64)
		x.bytes = make([]byte, int(gibs)*unit)
		if image, ok := ask["imageRef"].(string); ok {
			copy(x.bytes, m.glance(r, http.MethodGet, image+"/file", "", nil))
			x.members["bootable"] = "true"
			var shown map[string]any
			_ = json.Unmarshal(m.glance(r, http.MethodGet, image, "", nil), &shown)
			x.members["volume_image_metadata"] = imageMetadata(shown)
			key, _ = shown["cinder_encryption_key_id"].(string)
		}
	}
	switch {
	case kind == "snapshot":
		x.key = key
	case x.members["volume_type"] == "luks":
		x.members["encrypted"], x.key = true, m.clone(r, key)
	}
	x.change("creating", "available", nil)
	things[id] = x
	return http.StatusAccepted, map[string]any{kind: x.members}
}

func imageMetadata(image map[string]any) map[string]any {
	out := map[string]any{"image_id": image["id"], "image_name": image["name"]}
	for k, v := range image {
		if strings.HasPrefix(k, "os_distro") || strings.HasPrefix(k, "hw_") || k == "checksum" || strings.HasPrefix(k, "karbor_") {
			out[k] = v
		}
	}
	return out
}

// remove deletes as Cinder does: not what is in transition.
func (m *miniature) remove(r *http.Request, things map[string]*thing, x *thing) (int, any) {
	if x.members["status"] != "available" {
		return refuse(http.StatusBadRequest, "Invalid volume: Volume status must be available or error")
	}
	x.change("deleting", "deleted", func() { delete(things, fmt.Sprint(x.members["id"])) })
	if x.key != "" && x.members["volume_id"] == nil {
		m.ask(r, http.MethodDelete, "key-manager/v1/secrets/"+x.key, "", nil)
	}
	return http.StatusAccepted, nil
}

func (m *miniature) act(r *http.Request, x *thing, body map[string]map[string]any) (int, any) {
	for action, ask := range body {
		metadata, _ := x.members["volume_image_metadata"].(map[string]any)
		m.asked[action]++
		if m.after != nil {
			m.after(action)
		}
		switch action {
		case "os-volume_upload_image":
			return m.upload(r, x, ask)
		case "os-reimage":
			if x.members["status"] != "available" && x.members["status"] != "error" {
				return refuse(http.StatusBadRequest, "Invalid volume: status must be available/error")
			}
			fresh := make([]byte, len(x.bytes))
			copy(fresh, m.glance(r, http.MethodGet, fmt.Sprint(ask["image_id"])+"/file", "", nil))
			x.members["bootable"], x.members["volume_image_metadata"] = "true", map[string]any{"image_id": ask["image_id"]}
			x.change("downloading", "available", func() { x.bytes = fresh })
		case "revert":
			from := m.snapshots[fmt.Sprint(ask["snapshot_id"])]
			if from == nil || x.members["status"] != "available" {
				return refuse(http.StatusBadRequest, "Invalid volume: status must be available")
			}
			x.change("reverting", "available", func() { x.bytes = bytes.Clone(from.bytes) })
		case "os-update_readonly_flag":
			own, _ := x.members["metadata"].(map[string]any)
			own["readonly"] = fmt.Sprint(ask["readonly"])
		case "os-set_bootable":
			x.members["bootable"] = fmt.Sprint(ask["bootable"])
		case "os-unset_image_metadata":
			delete(metadata, fmt.Sprint(ask["key"]))
		case "os-set_image_metadata":
			set, _ := ask["metadata"].(map[string]any)
			if metadata == nil {
				metadata = map[string]any{}
			}
			maps.Copy(metadata, set)
			x.members["volume_image_metadata"] = metadata
		default:
			return refuse(http.StatusBadRequest, "There is no such action")
		}
	}
	return http.StatusOK, map[string]any{}
}

func (m *miniature) upload(r *http.Request, x *thing, ask map[string]any) (int, any) {
	if x.members["status"] != "available" {
		return refuse(http.StatusBadRequest, "Invalid volume: Volume status must be available/in-use")
	}
	spec := fmt.Sprintf(`{"name":%q,"disk_format":"raw","container_format":"bare"}`, ask["image_name"])
	if x.key != "" {
		spec = fmt.Sprintf(`{"name":%q,"disk_format":"raw","container_format":"bare","cinder_encryption_key_id":%q,`+
			`"cinder_encryption_key_deletion_policy":"on_image_deletion"}`, ask["image_name"], m.clone(r, x.key))
	}
	var image struct{ ID string }
	_ = json.Unmarshal(m.glance(r, http.MethodPost, "", "application/json", []byte(spec)), &image)
	token := r.Clone(context.WithoutCancel(r.Context()))
	x.change("uploading", "available", nil)
	m.glance(token, http.MethodPut, image.ID+"/file", "application/octet-stream", x.bytes)
	return http.StatusAccepted, map[string]any{"os-volume_upload_image": map[string]any{"id": x.members["id"], "image_id": image.ID, "status": "uploading"}}
}

// glance asks the cloud's image service in the name of who sent r.
func (m *miniature) glance(r *http.Request, method, path, kind string, body []byte) []byte {
	return m.ask(r, method, strings.TrimSuffix("image/v2/images/"+path, "/"), kind, body)
}

// clone keeps a key in another secret; a new key if there is none.
func (m *miniature) clone(r *http.Request, key string) string {
	payload := []byte(karbor.NewID())
	var original struct{ Name string }
	if key != "" {
		payload = m.ask(r, http.MethodGet, "key-manager/v1/secrets/"+key+"/payload", "", nil)
		_ = json.Unmarshal(m.ask(r, http.MethodGet, "key-manager/v1/secrets/"+key, "", nil), &original)
	}
	// Castellan, by which Cinder clones keys, keeps the name.
	body := fmt.Sprintf(`{"name":%q,"secret_type":"symmetric","algorithm":"aes","bit_length":256,"payload":%q,"payload_content_type":"application/octet-stream",`+
		`"payload_content_encoding":"base64"}`, original.Name, base64.StdEncoding.EncodeToString(payload))
	var made struct {
		Ref string `json:"secret_ref"`
	}
	_ = json.Unmarshal(m.ask(r, http.MethodPost, "key-manager/v1/secrets", "application/json", []byte(body)), &made)
	return path.Base(made.Ref)
}

// ask asks the cloud in the name of who sent r.
func (m *miniature) ask(r *http.Request, method, path, kind string, body []byte) []byte {
	address := fmt.Sprintf("%s://%s/%s", r.URL.Scheme, r.URL.Host, path)
	ask, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), method, address, bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	ask.Header.Set("X-Auth-Token", r.Header.Get("X-Auth-Token"))
	if kind != "" {
		ask.Header.Set("Content-Type", kind)
	}
	response, err := m.base.RoundTrip(ask)
	if err != nil {
		panic(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	return text
}
