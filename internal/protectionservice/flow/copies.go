package flow

import "github.com/karbor/karbor/internal/workflow"

// Copies writes the steps of a copy: a lane for each target of the provider, by name, whether the
// request names it or not, and the end. What a lane has done is kept in the store, so that the
// next run of it goes on from there.
func Copies(project string, targets []string) workflow.Steps {
	var steps workflow.Steps
	var lanes []string
	for _, t := range targets {
		id := Copy + ":" + t
		lanes = append(lanes, id)
		steps = append(steps, workflow.Step{
			ID: id, Action: Copy, Input: t, Limit: poolMain + "/" + project, Timeout: timeoutMain, Retry: endless(),
		})
	}
	return append(steps,
		workflow.Step{ID: End, Action: End, After: lanes, Limit: poolSteps + "/" + project, Timeout: timeoutSteps, Retry: endless()},
		workflow.Step{ID: Fail, Action: Fail, When: workflow.OnFailure, Limit: poolSteps + "/" + project, Timeout: timeoutSteps, Retry: endless()})
}
