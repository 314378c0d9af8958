//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// takeAfter gives the file at path the rights, and as far as may be the owner, of the one
// at model: who restores is not always who runs the service. Where there is none, it gets
// the owner of the folder, and nobody else may read it.
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
		_ = os.Chown(path, int(owner.Uid), int(owner.Gid)) // only root may
	}
	return os.Chmod(path, mode)
}
