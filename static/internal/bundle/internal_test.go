package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The committed bundle is made of the sources as they are now.
func TestBundleIsCurrent(t *testing.T) {
	const remedy = "run: go generate ./static"
	made, err := build(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	committed := os.DirFS("../../bundle")
	err = fs.WalkDir(committed, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, known := made[name]
		if !known {
			t.Errorf("bundle/%s is not made from any source; %s", name, remedy)
		}
		delete(made, name)
		got, err := fs.ReadFile(committed, name)
		if known && !bytes.Equal(got, want) {
			t.Errorf("bundle/%s is older than its sources; %s", name, remedy)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range made {
		t.Errorf("bundle/%s is missing; %s", name, remedy)
	}
}

// The program serves the bundle and does not contain the bundler, which would add 6 MB to it.
func TestProgramLacksBundler(t *testing.T) {
	deps, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "marcador").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(deps), "marcador/static\n") {
		t.Fatal("go list does not name marcador/static")
	}
	for name := range strings.Lines(string(deps)) {
		if strings.Contains(name, "esbuild") || strings.Contains(name, "static/internal/bundle") {
			t.Errorf("the program imports %s", strings.TrimSpace(name))
		}
	}
}
