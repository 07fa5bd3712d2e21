package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// comply has the project reported on: what is damaged in the main bank counts as kept in the other
// one, nothing is promised without a schedule, and what no plan names is unprotected.
func (s *story) comply(ctx context.Context) error {
	var r struct {
		Total     int
		Verdicts  map[string]int
		Resources []struct {
			Name, Verdict string
			Good          *struct {
				ID   string
				Bank *string
			} `json:"last_good_checkpoint"`
		}
	}
	if err := s.karbor.JSON(ctx, false, &r, "compliance", "show"); err != nil {
		return err
	}
	away := 0
	for _, one := range r.Resources {
		if one.Verdict == "damaged" {
			return fmt.Errorf("%s counts as damaged, although its copy is good", one.Name)
		}
		if one.Good != nil && one.Good.Bank != nil && *one.Good.Bank == copyBank {
			away++
		}
	}
	if away == 0 || r.Verdicts["unpromised"] == 0 {
		return fmt.Errorf("the report has nothing in %s, and these verdicts: %v", copyBank, r.Verdicts)
	}
	page := filepath.Join(s.dir, "compliance.html")
	if _, err := s.karbor.Run(ctx, false, "compliance", "show", "--html", page); err != nil {
		return err
	}
	if _, err := s.karbor.Run(ctx, false, "compliance", "show", "--fail-on", "unpromised", "-q"); err == nil {
		return errors.New("a report with findings passes")
	}
	s.out.note("of %d resources: %v; the last good checkpoint of %d lies in %s only", r.Total, r.Verdicts, away, copyBank)
	return nil
}
