//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// takeAfter gives the file at path the rights, and as far as may be the owner, of the one
// at model, if there is one: who restores is not always who runs the service.
func takeAfter(path, model string) error {
	info, err := os.Stat(model)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = os.Chown(path, int(owner.Uid), int(owner.Gid)) // only root may
	}
	return os.Chmod(path, info.Mode().Perm())
}
