package store

import (
	"context"
	"errors"

	"marcador/internal/atomicfile"
)

// Backup copies the database in the file at path into a new file at to. A service may be writing to
// the database: the copy has every write that was acknowledged before Backup began, and nothing
// that was erased. The copy is checked from end to end and on the disk before it gets its name;
// after an error there is no file at to. No write waits for a backup, but the write-ahead log grows
// while it reads. O(database).
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

// copyOf makes a copy of the database at path in a file beside to, applies changes to the copy, and
// then checks it.
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

// vacuumInto copies the database at path, as it is at one moment, into the empty file at to. VACUUM
// INTO is a reader like any other. SQLite's backup interface would start again with each write of
// another process.
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
