// Package atomicfile makes files that have their name only when they are whole and on the
// disk: each is written beside its place, fsynced, and then given the name. A process
// that is killed meanwhile leaves nothing under the name, but a file with ".part-" in
// its own, which can be removed. Only where the file system knows no second names for a
// file, as FAT, there may be an empty one under the name for a moment, and after a crash
// in it.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Part is a file that does not have its name yet. It belongs to one goroutine.
type Part struct{ path string }

// refusal is an error in words for who gave the path, of a kind that callers tell apart.
type refusal struct {
	text string
	kind error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

func taken(path string) error {
	return &refusal{fmt.Sprintf("there is a file %q already; it was left as it is, give another path", path), fs.ErrExist}
}

// Vacant returns the error of Name where there is a file at path: sooner than after a long
// copy. Name looks again.
func Vacant(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return taken(path)
	}
	return nil
}

// Begin makes an empty file beside path that nobody else can read. An error, which names
// the path, wraps fs.ErrNotExist where the folder is missing.
func Begin(path string) (*Part, error) {
	if path == "" {
		return nil, errors.New("the path of the new file is empty; give one")
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &refusal{fmt.Sprintf("the folder of %q does not exist; make it first, or give another path", path), err}
	case err != nil:
		return nil, fmt.Errorf("write %q: %w", path, err)
	}
	abs, err := filepath.Abs(f.Name())
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	return &Part{abs}, nil
}

// Path is where the file is until it has its name, absolute.
func (p *Part) Path() string { return p.path }

// Name writes the file through to the disk and gives it the name, in the same folder.
// It never replaces anything: where there is a file already the error wraps fs.ErrExist,
// and that is left as it is. An error names the path.
func (p *Part) Create(path string) error {
	err := syncFile(p.path)
	if err == nil {
		err = link(p.path, path)
	}
	if errors.Is(err, fs.ErrExist) {
		return taken(path)
	}
	if err == nil {
		err = p.Discard() // its first name
	}
	if err == nil {
		err = syncFolder(path)
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// Replace writes the file through to the disk and gives it the name, at one moment, of
// what is there under it, if anything is.
func (p *Part) Replace(path string) error {
	if err := syncFile(p.path); err != nil {
		return err
	}
	if err := os.Rename(p.path, path); err != nil {
		return err
	}
	return syncFolder(path)
}

// Discard removes the file, unless it has its name.
func (p *Part) Discard() error {
	if err := os.Remove(p.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// link gives the file at from a second name, or, where the file system knows no such
// thing, another name instead. It never replaces anything: the error wraps fs.ErrExist.
func link(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// The name is taken by an empty file, which the rename replaces.
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err = f.Close(); err == nil {
		err = os.Rename(from, to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write through to the disk: %w", err)
	}
	return nil
}

// syncFolder makes the name last. Windows has no such call, and needs none.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the folder through to the disk: %w", err)
	}
	return nil
}
