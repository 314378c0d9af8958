// Package atomicfile makes files that get their name only when they are whole and on the disk.
//
// Begin makes a part: a file beside the path, with ".part-" in its name. When it has been written,
// Create or Replace syncs it and gives it its name. If the process is killed before that, nothing
// is at the path, and the part can be removed.
//
//	part, err := atomicfile.Begin(path)
//	…
//	defer part.Discard() // does nothing after Create
//	… write to part.Path() …
//	err = part.Create(path)
//
// Some file systems, such as FAT, can't give a file two names. There an empty file is at the path
// for a moment before the whole one is, and stays there if the process is killed in that moment.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Part is a file that does not have its name yet. Not safe for concurrent use.
type Part struct{ path string }

// refusal is an error with a text for the user who gave the path. It wraps kind.
type refusal struct {
	text string
	kind error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

// taken returns the error for a path that has a file already.
func taken(path string) error {
	return &refusal{fmt.Sprintf("there is a file %q already; it was left as it is, give another path", path), fs.ErrExist}
}

// Vacant returns the error that Create would return if there is a file at path, and nil otherwise.
// So a caller learns of it before a long copy. Create checks again.
func Vacant(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return taken(path)
	}
	return nil
}

// Begin makes an empty file beside path that only its owner can read. The error names the path; it
// wraps fs.ErrNotExist if the folder is missing.
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

// Path is the absolute path of the file until it gets its name.
func (p *Part) Path() string { return p.path }

// Create syncs the file to the disk and gives it the name path, which must be in the folder that
// Begin got. It never replaces a file: if there is one at path, the error wraps fs.ErrExist.
// Errors name the path.
func (p *Part) Create(path string) error {
	err := syncFile(p.path)
	if err == nil {
		err = link(p.path, path)
	}
	if errors.Is(err, fs.ErrExist) {
		return taken(path)
	}
	if err == nil {
		err = p.Discard() // removes its first name
	}
	if err == nil {
		err = syncFolder(path)
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// Replace syncs the file to the disk and gives it the name path. If there is a file at path, it
// takes that file's name in one step, so that at every moment one of the two is at path.
func (p *Part) Replace(path string) error {
	if err := syncFile(p.path); err != nil {
		return err
	}
	if err := os.Rename(p.path, path); err != nil {
		return err
	}
	return syncFolder(path)
}

// Discard removes the file, unless it has got its name.
func (p *Part) Discard() error {
	if err := os.Remove(p.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// link gives the file at from a second name. If the file system has no second names, it renames the
// file. It never replaces a file: then the error wraps fs.ErrExist.
func link(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// An empty file takes the name, so that no other program can, and the rename replaces it.
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

// syncFile writes the file's data through to the disk.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync to the disk: %w", err)
	}
	return nil
}

// syncFolder writes the folder of path to the disk, so that the file has its name after a power
// failure. Windows has no such call and needs none.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync the folder to the disk: %w", err)
	}
	return nil
}
