//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// takeAfter gives the file at path the rights and the owner of the file at model, since the user
// who restores a database may not be the user who runs the service. If there is no file at model,
// the owner of the folder becomes the owner, and nobody else can read the file. Only root can give
// a file to another owner; for others the owner stays.
func takeAfter(path, model string) error {
	info, err := os.Stat(model)
	mode := fs.FileMode(0o600)
	switch {
	case err == nil:
		mode = info.Mode().Perm()
	case errors.Is(err, fs.ErrNotExist):
		info, err = os.Stat(filepath.Dir(model))
	}
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = os.Chown(path, int(owner.Uid), int(owner.Gid)) // fails unless root runs it
	}
	return os.Chmod(path, mode)
}
