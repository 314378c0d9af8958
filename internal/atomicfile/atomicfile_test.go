package atomicfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"marcador/internal/atomicfile"
)

func begin(t *testing.T, path, content string) *atomicfile.Part {
	t.Helper()
	p, err := atomicfile.Begin(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Path(), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// only fails the test unless the file is the only one in its folder and has the content.
func only(t *testing.T, path, content string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v (%v), want one file", entries, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("the file has %q (%v), want %q", got, err, content)
	}
}

func TestPart_Create(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	p := begin(t, path, "first")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the name is taken before the file is whole: %v", err)
	}
	if err := p.Create(path); err != nil {
		t.Fatal(err)
	}
	if err := p.Discard(); err != nil { // as a deferred call would
		t.Error(err)
	}
	only(t, path, "first")

	second := begin(t, path, "second")
	if err := second.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create() = %v at the path of a file, want fs.ErrExist", err)
	}
	if err := second.Discard(); err != nil {
		t.Error(err)
	}
	only(t, path, "first")
}

func TestPart_Replace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for _, content := range []string{"first", "second"} {
		if err := begin(t, path, content).Replace(path); err != nil {
			t.Fatal(err)
		}
		only(t, path, content)
	}
}

// Errors say what to do and wrap what callers tell apart.
func TestErrors_sayWhatToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := atomicfile.Vacant(path); err != nil {
		t.Error(err)
	}
	if err := begin(t, path, "first").Create(path); err != nil {
		t.Fatal(err)
	}
	second := begin(t, path, "second")
	_, empty := atomicfile.Begin("")
	_, folder := atomicfile.Begin(filepath.Join(path+"no", "a"))
	for want, c := range map[string]struct{ err, kind error }{
		fmt.Sprintf("there is a file %q already; it was left as it is, give another path", path):                           {atomicfile.Vacant(path), fs.ErrExist},
		fmt.Sprintf("there is a file %q already; it was left as it is, give another path", second.Path()):                  {second.Create(second.Path()), fs.ErrExist},
		fmt.Sprintf("the folder of %q does not exist; make it first, or give another path", filepath.Join(path+"no", "a")): {folder, fs.ErrNotExist},
		"the path of the new file is empty; give one":                                                                      {empty, nil},
	} {
		if c.err == nil || c.err.Error() != want || c.kind != nil && !errors.Is(c.err, c.kind) {
			t.Errorf("err = %v, want %q of %v", c.err, want, c.kind)
		}
	}
}
