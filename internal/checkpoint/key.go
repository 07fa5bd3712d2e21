package checkpoint

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// layout is the number of the layout; root is the prefix of all its keys.
const (
	layout = 1
	root   = "v1/"
)

const (
	statesRoot  = root + "states/"
	indicesRoot = root + "indices/"
	leasesRoot  = root + "leases/"
)

// A sequence number has a fixed width, so that the order of keys is its order.
const maxSequence = 99999999

var sequencePattern = regexp.MustCompile(`^[0-9]{8}$`)

func sequence(n int) string { return fmt.Sprintf("%08d", n) }

func parseSequence(s string) (int, bool) {
	if !sequencePattern.MatchString(s) {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0
}

func statesPrefix(project, id string) string { return statesRoot + project + "/" + id + "/" }

func stateKey(project, id string, n int) string { return statesPrefix(project, id) + sequence(n) }

func checkpointPrefix(project, id string) string {
	return root + "checkpoints/" + project + "/" + id + "/"
}

func descriptionKey(project, id string) string { return checkpointPrefix(project, id) + "description" }

func reasonsKey(project, id, digest string) string {
	return checkpointPrefix(project, id) + "reasons/" + digest
}

func figuresKey(project, id, digest string) string {
	return checkpointPrefix(project, id) + "figures/" + digest
}

func contentsKey(project, id, digest string) string {
	return checkpointPrefix(project, id) + "contents/" + digest
}

// purgingKey is there as soon as anything of a checkpoint may have been removed.
func purgingKey(project, id string) string { return checkpointPrefix(project, id) + "purging" }

func nodesPrefix(project, id string) string { return checkpointPrefix(project, id) + "nodes/" }

// A claim lies next to its owner's lease, which tells it from a number by its @.
func claimKey(owner, project, id string) string {
	return leasePrefix(owner) + project + "@" + id
}

// parseClaim reads what claimKey wrote.
func parseClaim(key string) (owner, project, id string, ok bool) {
	owner, claim, _ := strings.Cut(strings.TrimPrefix(key, leasesRoot), "/")
	project, id, _ = strings.Cut(claim, "@")
	return owner, project, id, isOwner(owner) && checkIDs(project, id) == nil
}

func leasePrefix(owner string) string { return leasesRoot + owner + "/" }

// stampFormat is the time in an index: UTC, to the microsecond, of fixed width.
const stampFormat = "20060102T150405.000000Z"

func stamp(t time.Time) string { return t.UTC().Format(stampFormat) }

// entry is the last part of an index key.
func entry(created time.Time, id string) string { return stamp(created) + "@" + id }

// parseEntry reads what entry wrote.
func parseEntry(s string) (created time.Time, id string, ok bool) {
	at, id, found := strings.Cut(s, "@")
	created, err := time.Parse(stampFormat, at)
	return created, id, found && err == nil && stamp(created) == at && karbor.IsUUID(id)
}

// indexKeys are the keys of a checkpoint in the three indices.
func indexKeys(s *state) []string {
	last := entry(s.CreatedAt, s.CheckpointID)
	return []string{
		indicesRoot + "by-date/" + s.ProjectID + "/" + day(s.CreatedAt) + "/" + last,
		indicesRoot + "by-provider/" + s.ProjectID + "/" + s.ProviderID + "/" + last,
		indicesRoot + "by-plan/" + s.ProjectID + "/" + s.PlanID + "/" + last,
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// checkIDs reports a project id that can't be a part of a key, or a checkpoint
// id that is none. Neither can be in a bank, so it is karbor.NotFound.
func checkIDs(project, id string) error {
	if !isPart(project) || !karbor.IsUUID(id) {
		return notFound(id)
	}
	return nil
}

// isPart reports whether an id can be a part of a key here.
func isPart(id string) bool { return karbor.IsResourceID(id) && len(id) <= maxID }

// maxID bounds ids so that the longest key stays below bank.MaxKey.
const maxID = 128
