package store

import (
	"context"
	"errors"

	"marcador/internal/atomicfile"
)

// Backup copies the database in the file at path, which a service may be writing to, into
// a new file at to. Every write that was acknowledged before it began is in the copy, and
// nothing that was erased. The copy has been checked from end to end and is on the disk
// when it gets its name; where anything fails there is no file at to. Nothing waits for
// it, but the write-ahead log grows while it reads. O(database).
func Backup(ctx context.Context, path, to string) (Contents, error) {
	if err := atomicfile.Vacant(to); err != nil {
		return Contents{}, err
	}
	part, c, err := copyOf(ctx, path, to)
	if err != nil {
		return c, err
	}
	return c, errors.Join(part.Create(to), part.Discard())
}

// copyOf returns a copy of the database at path, with the changes, checked after them, in a
// file beside to.
func copyOf(ctx context.Context, path, to string, changes ...func(ctx context.Context, path string) error) (*atomicfile.Part, Contents, error) {
	part, err := atomicfile.Begin(to)
	if err != nil {
		return nil, Contents{}, err
	}
	if err := vacuumInto(ctx, path, part.Path()); err != nil {
		return nil, Contents{}, errors.Join(err, part.Discard())
	}
	for _, change := range changes {
		if err := change(ctx, part.Path()); err != nil {
			return nil, Contents{}, errors.Join(unusable(path, err), part.Discard())
		}
	}
	c, err := contentsOf(ctx, part.Path())
	if err != nil {
		return nil, c, errors.Join(unusable(path, err), part.Discard())
	}
	return part, c, nil
}

// vacuumInto copies the database at path into the empty file at to.
// VACUUM INTO reads as any reader does, at one moment; SQLite's backup interface would
// begin again with each write of another process.
func vacuumInto(ctx context.Context, path, to string) error {
	db, err := openExisting(path, []string{"busy_timeout(5000)"})
	if err != nil {
		return err
	}
	if err := expect(ctx, db, path); err != nil {
		return errors.Join(err, db.Close())
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	if err = errors.Join(err, db.Close()); err != nil {
		return unusable(path, err)
	}
	return nil
}
