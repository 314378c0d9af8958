package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"marcador/api"
)

// repeated returns a list of n times the same value.
func repeated(value string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(value+",", n), ",") + "]"
}

// garbage returns requests with bodies of most of a megabyte in which nothing is right: method,
// path and body.
func garbage() map[string][3]string {
	const size = 1<<20 - 100
	names := func(value string) string { // many names with that value
		var b strings.Builder
		for i := 0; b.Len() < size-100; i++ {
			fmt.Fprintf(&b, `,"k%d":%s`, i, value)
		}
		return b.String()[1:]
	}
	const post, batch, users, xp = http.MethodPost, "/v1/xp", "/v1/users", "/v1/users/u1/xp"
	return map[string][3]string{
		"objects":           {post, batch, `{"updates":` + repeated(`{"a":1}`, size/8-10) + `}`},
		"numbers":           {post, batch, `{"updates":` + repeated(`0`, size/2-20) + `}`},
		"lists":             {post, batch, `{"updates":[],"zz":` + repeated(`[]`, size/3-20) + `}`},
		"a field of no use": {post, batch, `{"updates":[],"zz":` + repeated(`{"a":1}`, size/8-10) + `}`},
		"fields":            {post, xp, "{" + names("1") + "}"},
		"groups":            {post, users, `{"users":[{"id":"z","username":"z","groups":{"school":` + repeated("0", size/2-50) + `}}]}`},
		"empty groups":      {post, users, `{"users":[{"id":"z","username":"z","groups":{"school":` + repeated(`""`, size/3-50) + `}}]}`},
		"kinds":             {http.MethodPut, "/v1/users/z", `{"username":"z","groups":{` + names("0") + `}}`},
		"kinds of nothing":  {http.MethodPut, "/v1/users/z", `{"username":"z","groups":{` + names("[]") + `}}`},
		"profiles":          {post, users, `{"users":` + repeated(`{}`, size/3-20) + `}`},
		"open":              {post, batch, strings.Repeat("[", size)},
		"a long name":       {post, xp, `{"` + strings.Repeat("a", size-20) + `":1}`},
		"a long kind":       {http.MethodPut, "/v1/users/z", `{"username":"z","groups":{"` + strings.Repeat("a", size-60) + `":["1"]}}`},
		"a long text":       {post, xp, `{"xp":1,"reason":"` + strings.Repeat("a", size-50) + `"}`},
		"digits":            {post, xp, `{"xp":` + strings.Repeat("1", size-20) + `}`},
	}
}

// cost returns the CPU time that do takes, and the bytes that are allocated meanwhile.
func cost(do func()) (time.Duration, uint64) {
	var before, after runtime.MemStats
	var from, to syscall.Rusage
	runtime.ReadMemStats(&before)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &from) // can't fail
	do()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &to)
	runtime.ReadMemStats(&after)
	used := func(r *syscall.Rusage) time.Duration { return time.Duration(r.Utime.Nano() + r.Stime.Nano()) }
	return used(&to) - used(&from), after.TotalAlloc - before.TotalAlloc
}

// A megabyte of garbage is refused with up to a hundred faults. That takes the CPU time of a few
// pages of a thousand rows, and a few times its length of memory.
func TestBodyChecker_garbageIsCheap(t *testing.T) {
	f := newFixture(t, nil)
	f.crowd()
	page := func() {
		if a := f.do(f.admin, http.MethodGet, "/v1/leaderboards/global?limit=1000", ""); a.status != http.StatusOK {
			t.Fatal(a.status)
		}
	}
	page()
	const pages = 20
	ofPages, _ := cost(func() {
		for range pages {
			page()
		}
	})
	for name, c := range garbage() {
		t.Run(name, func(t *testing.T) {
			var a answer
			took, allocated := cost(func() { a = f.do(f.admin, c[0], c[1], c[2]) })
			if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest {
				t.Errorf("answer = %d %.200s", a.status, a.body)
			}
			var p struct {
				Detail string
				Errors []struct{ Field, Message string }
			}
			if err := json.Unmarshal(a.body, &p); err != nil || len(p.Errors) == 0 || len(p.Errors) > 100 || len(a.body) > 128<<10 || len(p.Detail) > 2048 {
				t.Errorf("answer = %d bytes with %d faults, detail of %d (%v)", len(a.body), len(p.Errors), len(p.Detail), err)
			}
			t.Logf("%d, %d faults (%.60s): %s of CPU, %d KiB; %s a page", a.status, len(p.Errors), p.Detail, took, allocated>>10, ofPages/pages)
			// This includes what the test itself sends and reads.
			if allocated > 16<<20 {
				t.Errorf("%d MiB were allocated for a body of %d bytes", allocated>>20, len(c[2]))
			}
			if took > 2*ofPages {
				t.Errorf("took %s of CPU, %d pages take %s", took, pages, ofPages)
			}
		})
	}
	if a := f.do(f.admin, http.MethodPost, "/v1/xp", `{"updates":`+repeated(`{"userId":"u1","xp":1}`, 1000)+`}`); a.status != http.StatusOK {
		t.Errorf("a whole batch = %d %.200s", a.status, a.body)
	}
}

// An answer names each wrong field once: the faults that the schema shows, and those that only the
// values show.
func TestBodyChecker_namesEveryFault(t *testing.T) {
	f := newFixture(t, nil)
	a := f.do(f.admin, http.MethodPost, "/v1/xp", `{"updates":[{"userId":"u1","xp":1,"zz":[{}]},{"xp":"1"},{"userId":"u2","xp":0},{"userId":"","xp":2}]}`)
	a.wantProblem(t, 422, "invalid_input", "updates[0].zz")
	var p struct {
		Errors []struct{ Field string }
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range p.Errors {
		got = append(got, e.Field)
	}
	want := "updates[0].zz updates[1].xp updates[1].userId updates[2].xp updates[3].userId"
	if strings.Join(got, " ") != want {
		t.Errorf("faults of %s, want %s", strings.Join(got, " "), want)
	}
}

// The program does not start if a schema could not be checked token by token.
func TestBodyChecker_refusesSchemas(t *testing.T) {
	text := &huma.Schema{Type: huma.TypeString}
	for name, c := range map[string]struct {
		body   *huma.Schema
		refuse bool
	}{
		"text":        {text, false},
		"one of":      {&huma.Schema{OneOf: []*huma.Schema{text}}, true},
		"a list":      {&huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Not: text}}, true},
		"a map":       {&huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{AnyOf: []*huma.Schema{text}}}, true},
		"no two same": {&huma.Schema{Type: huma.TypeArray, Items: text, UniqueItems: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if refused := recover() != nil; refused != c.refuse {
					t.Errorf("refused: %t", refused)
				}
			}()
			api.LearnBody(c.body)
		})
	}
}
