package peers_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
	"marcador/test/testkit/site"
)

// Lighthouse finds nothing to improve in everything that does not depend on the machine. Its
// performance does, and `go run ./bench page` measures it.
func TestLighthouse(t *testing.T) {
	path, err := browser.Chromium()
	if err != nil {
		t.Fatal(err)
	}
	p := site.School(t, 60, false)
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", testkit.Path("tools/lighthouse.mjs"), "mobile", "accessibility,best-practices,seo", p.URL+"/")
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
