package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"marcador/internal/profile"
)

// Profile is all data of a user but the points.
type Profile struct {
	Number   uint32 // set by the store
	ID       string
	Username string
	Avatar   string
	Email    string
	Groups   map[string][]string // group ids by kind, as in {"school": ["42"]}

	Pseudonym string // shown to others in place of name and avatar, or empty
	Hidden    bool   // only the user sees themselves on boards

	// Created is when a new user and the user's first memberships begin; the zero time is now.
	// PutProfiles ignores it for users who exist, and User does not return it.
	Created time.Time
}

// Patch is a change of the profile of the user with an ID.
type Patch struct {
	ID string
	profile.Patch

	// Created is as in Profile.
	Created time.Time
}

// whole returns the patch that replaces every field of a profile by those of p.
func (p *Profile) whole() Patch {
	return Patch{p.ID, profile.Patch{
		Username: profile.Given(p.Username), Avatar: profile.Given(p.Avatar), Email: profile.Given(p.Email),
		Pseudonym: profile.Given(p.Pseudonym), Hidden: profile.Given(p.Hidden), Groups: profile.Given(p.Groups),
	}, p.Created}
}

// maxKinds bounds the kinds of groups that one user is in.
const maxKinds = 20

// PutProfiles creates profiles, or replaces the profiles with the same IDs. After an error none is
// changed. created says for each whether the user is new.
func (s *Store) PutProfiles(ctx context.Context, profiles []Profile) (created []bool, err error) {
	patches := make([]Patch, len(profiles))
	for i := range profiles {
		patches[i] = profiles[i].whole()
	}
	return s.changeProfiles(ctx, patches, func(next *Profile, p *Patch) { next.Groups = p.Groups.Value })
}

// PatchProfiles creates profiles, or changes the profiles with the same IDs. After an error none is
// changed. created says for each whether the user is new. A new user without a username is refused
// with Invalid.
func (s *Store) PatchProfiles(ctx context.Context, patches []Patch) (created []bool, err error) {
	return s.changeProfiles(ctx, slices.Clone(patches), mergeGroups)
}

// PatchProfile changes the profile of a user. It refuses with UserNotFound.
func (s *Store) PatchProfile(ctx context.Context, p Patch) error {
	return s.do(ctx, 1, func(ctx context.Context, t *tx) error {
		if _, err := t.numberOf(ctx, p.ID); err != nil {
			return err
		}
		_, err := t.changeProfiles(ctx, []Patch{p}, mergeGroups)
		return err
	})
}

// mergeGroups changes the groups of the kinds that the patch has. A kind without groups is removed,
// and a patch whose groups are null removes all kinds.
func mergeGroups(next *Profile, p *Patch) {
	if !p.Groups.Given {
		return
	}
	if p.Groups.Value == nil {
		next.Groups = nil
		return
	}
	next.Groups = maps.Clone(next.Groups)
	if next.Groups == nil {
		next.Groups = map[string][]string{}
	}
	maps.Copy(next.Groups, p.Groups.Value)
}

// changeProfiles applies patches in a transaction. groups sets the groups of a profile from a
// patch. The patches must not be changed afterwards: the caller may return before the writer reads
// them.
func (s *Store) changeProfiles(ctx context.Context, patches []Patch, groups func(*Profile, *Patch)) (created []bool, err error) {
	err = s.do(ctx, len(patches), func(ctx context.Context, t *tx) (err error) {
		made, err := t.changeProfiles(ctx, patches, groups)
		created = made
		return err
	})
	if err != nil {
		return nil, err
	}
	return created, nil
}

// edit is one patch with the profile before and after it.
type edit struct {
	isNew       bool
	hasTotals   bool
	was, become *Profile
	since       int64 // when new memberships begin
}

// changeProfiles computes all edits, and refuses the batch if one is refused, before it writes any.
func (t *tx) changeProfiles(ctx context.Context, patches []Patch, groups func(*Profile, *Patch)) (created []bool, err error) {
	edits := make([]edit, len(patches))
	last := make(map[string]*edit, len(patches)) // by user, who may come more than once
	var refused refusals
	for i := range patches {
		p, e := &patches[i], &edits[i]
		if before := last[p.ID]; before != nil {
			*e = edit{hasTotals: true, was: before.become}
		} else if err := t.readProfile(ctx, p.ID, e); err != nil {
			return nil, err
		}
		err := t.plan(p, e, i, groups)
		if err == nil {
			last[p.ID] = e
		}
		if err := refused.take(err); err != nil {
			return nil, err
		}
	}
	if err := refused.err(); err != nil {
		return nil, err
	}
	created = make([]bool, len(patches))
	for i := range edits {
		if err := t.write(ctx, &edits[i]); err != nil {
			return nil, err
		}
		created[i] = edits[i].isNew
	}
	return created, nil
}

// plan computes the profile after the patch, or refuses it.
func (t *tx) plan(p *Patch, e *edit, index int, groups func(*Profile, *Patch)) error {
	if e.isNew && !p.Username.Given {
		return refuse(Invalid, index, "username", "is missing; give it, since there is no user %q yet", p.ID)
	}
	next := *e.was
	p.Username.Set(&next.Username)
	p.Avatar.Set(&next.Avatar)
	p.Email.Set(&next.Email)
	p.Pseudonym.Set(&next.Pseudonym)
	p.Hidden.Set(&next.Hidden)
	groups(&next, p)
	next.Groups = sortedGroups(next.Groups)
	if len(next.Groups) > max(maxKinds, len(e.was.Groups)) {
		return refuse(Invalid, index, "groups", "would leave the user in groups of %d kinds, and %d is the most; remove a kind with null", len(next.Groups), maxKinds)
	}
	e.become, e.since = &next, t.at
	if e.isNew && !p.Created.IsZero() {
		e.since = min(p.Created.UnixMilli(), t.at)
	}
	return nil
}

// sortedGroups returns the groups in order and without duplicates, and without empty kinds.
func sortedGroups(groups map[string][]string) map[string][]string {
	sorted := make(map[string][]string, len(groups))
	for kind, ids := range groups {
		if len(ids) > 0 {
			sorted[kind] = slices.Compact(slices.Sorted(slices.Values(ids)))
		}
	}
	return sorted
}

// readProfile reads the present profile of a user into an edit.
func (t *tx) readProfile(ctx context.Context, id string, e *edit) error {
	was := &Profile{ID: id}
	var groups []byte
	err := t.stmt.profile.QueryRowContext(ctx, id).Scan(
		&was.Number, &was.Username, &was.Avatar, &was.Email, &was.Pseudonym, &was.Hidden, &groups, &e.hasTotals)
	e.was, e.isNew = was, errors.Is(err, sql.ErrNoRows)
	if err != nil && !e.isNew {
		return fmt.Errorf("read profile: %w", err)
	}
	if was.Groups, err = groupsOf(groups); err != nil {
		return err
	}
	return nil
}

// groupsOf reads a JSON list of pairs of a kind and an id.
func groupsOf(list []byte) (map[string][]string, error) {
	groups := map[string][]string{}
	if len(list) <= len("[]") {
		return groups, nil
	}
	var pairs [][2]string
	if err := json.Unmarshal(list, &pairs); err != nil {
		return nil, fmt.Errorf("read user's groups: %w", err)
	}
	for _, p := range pairs {
		groups[p[0]] = append(groups[p[0]], p[1])
	}
	return groups, nil
}

// write writes what an edit changes. An edit that changes nothing takes no seq.
func (t *tx) write(ctx context.Context, e *edit) error {
	was, p := e.was, e.become
	changed := e.isNew
	var err error
	switch {
	case e.isNew:
		err = t.stmt.addUser.QueryRowContext(ctx,
			t.lastNumber, p.ID, p.Username, p.Avatar, p.Email, p.Pseudonym, p.Hidden, e.since).Scan(&p.Number)
		t.lastNumber = max(t.lastNumber, p.Number) // even if this is rolled back: numbers may have gaps
	case p.Username != was.Username || p.Avatar != was.Avatar || p.Email != was.Email || p.Pseudonym != was.Pseudonym || p.Hidden != was.Hidden:
		changed = true
		p.Number = was.Number // which an earlier edit of the batch may have given
		_, err = t.stmt.putUser.ExecContext(ctx, p.Username, p.Avatar, p.Email, p.Pseudonym, p.Hidden, t.at, p.Number)
	default:
		p.Number = was.Number
	}
	if err == nil && !e.hasTotals { // the user is new, or another program has added the row
		changed = true
		_, err = t.stmt.addTotals.ExecContext(ctx, p.Number)
	}
	if err != nil {
		return fmt.Errorf("put user: %w", err)
	}
	err = t.withFriends(ctx, e, func() error {
		moved, err := t.writeGroups(ctx, e)
		if err == nil && (changed || moved) {
			shown := *p
			t.add(Change{Profile: &shown, Hidden: p.Hidden && (was.Hidden || e.isNew)})
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("put memberships: %w", err)
	}
	return nil
}

// writeGroups ends the memberships that the edit removes, and begins the new ones.
func (t *tx) writeGroups(ctx context.Context, e *edit) (moved bool, err error) {
	for kind, id := range missing(e.was.Groups, e.become.Groups) {
		moved = true
		if _, err := t.stmt.endMembership.ExecContext(ctx, t.at, e.become.Number, kind, id); err != nil {
			return moved, err
		}
	}
	for kind, id := range missing(e.become.Groups, e.was.Groups) {
		moved = true
		if _, err := t.stmt.addMembership.ExecContext(ctx, e.since, e.become.Number, kind, id); err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// missing yields the groups that are in all and not in others.
func missing(all, others map[string][]string) iter.Seq2[string, string] {
	return func(yield func(kind, id string) bool) {
		for _, kind := range slices.Sorted(maps.Keys(all)) {
			for _, id := range all[kind] {
				if !slices.Contains(others[kind], id) && !yield(kind, id) {
					return
				}
			}
		}
	}
}
