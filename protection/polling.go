package protection

import (
	"embed"
	"errors"
	"fmt"
	"time"
)

// Polling are the options of a plug-in that waits for a cloud and has no others.
type Polling struct {
	// PollInterval is the longest pause between two looks at something that is
	// waited for.
	PollInterval time.Duration `yaml:"poll_interval"`
	// Timeout limits each single wait.
	Timeout time.Duration `yaml:"timeout"`
}

// Validate reports settings that make no sense.
func (p *Polling) Validate() error {
	if p.PollInterval <= 0 || p.Timeout <= 0 {
		return errors.New("poll_interval and timeout must be more than zero")
	}
	return nil
}

// ReadSchemas reads the schemas of a plug-in out of the folder "schemas" of its embedded
// files: options.json, restore.json, verify.json and saved_info.json.
func ReadSchemas(files embed.FS) (Schemas, error) {
	var s Schemas
	var errs []error
	for name, into := range map[string]*[]byte{
		"options": (*[]byte)(&s.Options), "restore": (*[]byte)(&s.Restore),
		"verify": (*[]byte)(&s.Verify), "saved_info": (*[]byte)(&s.SavedInfo),
	} {
		text, err := files.ReadFile("schemas/" + name + ".json")
		if err != nil {
			errs = append(errs, fmt.Errorf("reading the schema %s: %w", name, err))
		}
		*into = text
	}
	return s, errors.Join(errs...)
}
