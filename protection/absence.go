package protection

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/karbor/karbor"
)

// What becomes of a plan with a project, one of whose services is absent or broken: the
// parameter AbsentServices of the project says it.
const (
	AbsentServices = "absent_services"
	// FailAbsent refuses to protect the project. It is the default.
	FailAbsent = "fail"
	// ReportAbsent leaves the service's resources out, and says so on the checkpoint.
	ReportAbsent = "report"
)

// absentMember is the member of a project's extra information, in the graph of a
// checkpoint, that tells what was left out: a JSON object from types to reasons.
const absentMember = "karbor_absent_services"

// WithAbsent notes in a project's node which types were left out, and why.
func WithAbsent(n *karbor.Node, reasons map[karbor.ResourceType]string) error {
	text, err := json.Marshal(reasons)
	if err != nil {
		return fmt.Errorf("noting what is left out of project %s: %w", n.ID, err)
	}
	extra := maps.Clone(n.ExtraInfo)
	if extra == nil {
		extra = map[string]string{}
	}
	extra[absentMember] = string(text)
	n.ExtraInfo = extra
	return nil
}

// Absent gives a sentence for each type that was left out of a project.
func Absent(n *karbor.Node) ([]string, error) {
	if n.ExtraInfo[absentMember] == "" {
		return nil, nil
	}
	var reasons map[karbor.ResourceType]string
	if err := json.Unmarshal([]byte(n.ExtraInfo[absentMember]), &reasons); err != nil {
		return nil, karbor.Errorf(karbor.Internal, "what was left out of project %s can't be read", n.ID)
	}
	var sentences []string
	for _, t := range slices.Sorted(maps.Keys(reasons)) {
		sentences = append(sentences, fmt.Sprintf("Nothing of type %s was protected: %s.", t, reasons[t]))
	}
	return sentences, nil
}
