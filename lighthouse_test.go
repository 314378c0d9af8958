package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// Lighthouse finds nothing to improve in what it can tell for certain: performance
// hangs on the machine, and is measured by `go run ./bench page`, on a desk too.
func TestPage_lighthouse(t *testing.T) {
	path, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	p := quietSchool(t, 60, false)
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", "tools/lighthouse.mjs", "mobile", "accessibility,best-practices,seo", p.url+"/")
	cmd.Env, cmd.Stderr = append(os.Environ(), "CHROMIUM="+path), &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lighthouse: %v\n%s", err, &errs)
	}
	var found struct {
		Scores map[string]int `json:"scores"`
		Costs  []string       `json:"costs"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("lighthouse says %s: %v", out, err)
	}
	if len(found.Scores) != 3 {
		t.Errorf("scores = %v, want three", found.Scores)
	}
	for category, score := range found.Scores {
		if score != 100 {
			t.Errorf("%s is %d, want 100: %q", category, score, found.Costs)
		}
	}
}
