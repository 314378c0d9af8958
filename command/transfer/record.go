// Package transfer exports the users and points of a database to a file, as JSON Lines or CSV, and
// imports such files, which may also come from a spreadsheet or another program.
//
//	input ─▶ source ─▶ text ─▶ reader ─▶ importer ─▶ store
//	         bytes     UTF-8   records   transactions
//
// An export takes one pass. An import takes three: the first finds out the encoding, the second
// rehearses everything in a transaction that is rolled back, and the third writes. So a file with a
// fault changes nothing, and the store's own rules find the faults. An import takes 8 bytes of
// memory for each 64 KiB of input, and about 30 bytes for each user of a CSV file.
package transfer

import (
	"fmt"
	"strings"
	"time"

	"marcador/internal/profile"
	"marcador/internal/validate"
	"marcador/store"
)

// The types of records.
const (
	user    = "user"
	friends = "friends"
	limit   = "limit"
	badge   = "badge"
	points  = "points"
)

// record is a line of JSON or a row of CSV. Its type decides which fields it has; see fields.
type record struct {
	Type string `json:"type,omitzero"`

	ID string `json:"id,omitzero"`
	profile.Patch
	CreatedAt string `json:"createdAt,omitzero"`

	UserID  string `json:"userId,omitzero"`
	OtherID string `json:"otherId,omitzero"`
	Since   string `json:"since,omitzero"`

	OneSided bool `json:"oneSided,omitzero"` // the other user has not asked

	Board string `json:"board,omitzero"`
	Top   int64  `json:"top,omitzero"`

	MinXP int64  `json:"minXp,omitzero"`
	Name  string `json:"name,omitzero"`

	XP      int64  `json:"xp,omitzero"`
	MLCoins int64  `json:"mlCoins,omitzero"`
	Reason  string `json:"reason,omitzero"`
	At      string `json:"at,omitzero"`
	Key     string `json:"key,omitzero"`
	Caller  string `json:"caller,omitzero"` // who used the key
	Rows    int64  `json:"rows,omitzero"`   // records of the key: this and the next ones

	writtenID string // UserID as it stands in the input, for points

	unread bool // the line could not be read, so all other fields are empty
}

// size returns about how many bytes the texts of a user take.
func (r *record) size() int {
	const header = 16 // of a string
	n := len(r.ID) + len(r.Username.Value) + len(r.Avatar.Value) + len(r.Email.Value) + len(r.Pseudonym.Value)
	for kind, ids := range r.Groups.Value {
		n += header + len(kind)
		for _, id := range ids {
			n += header + len(id)
		}
	}
	return n
}

// check returns the faults of a record. It also fills in a missing type, if the other fields show
// it, and normalizes ids and names. there reports whether the database has a board, or, with the
// kind friends, a user; such an id stays as it is.
func (r *record) check(line int, there func(kind, id string) bool) (wrong []*InputError) {
	if r.unread {
		return nil
	}
	if r.Type == "" {
		switch {
		case r.ID != "" || r.Username.Given:
			r.Type = user
		case r.UserID != "":
			r.Type = points
		}
	}
	add := func(field, message string) {
		if message != "" {
			wrong = append(wrong, &InputError{line, field, message})
		}
	}
	switch r.Type {
	case user, friends, limit, badge, points:
	case "":
		add("type", "is missing; give user, friends, limit, badge or points")
		return wrong
	default:
		add("type", "has to be user, friends, limit, badge or points")
		return wrong
	}
	for i := range fields {
		if f := &fields[i]; !strings.Contains(f.types, r.Type) && f.there(r) {
			add(f.name, "does not belong to a record of the type "+r.Type+"; remove it")
		}
	}
	r.checkType(add, there)
	return wrong
}

func (r *record) checkType(add func(field, message string), there func(kind, id string) bool) {
	id := func(field string, id *string) {
		var fault string
		*id, fault = validate.IDIn(*id, func(id string) bool { return there(friends, id) })
		add(field, fault)
	}
	switch r.Type {
	case user:
		id("id", &r.ID)
		validate.CheckProfile(&r.Patch, there, add)
		add("createdAt", checkTime(r.CreatedAt))
	case friends:
		id("userId", &r.UserID)
		id("otherId", &r.OtherID)
		add("since", checkTime(r.Since))
	case limit:
		board, ok := validate.BoardIn(r.Board, there)
		if r.Board = board; !ok {
			add("board", "has to be the name of a board, such as global or school:42")
		}
		if r.Top < 1 || r.Top > maxTop {
			add("top", fmt.Sprintf("has to be from 1 to %d", maxTop))
		}
	case badge:
		name, fault := validate.Name(r.Name)
		r.Name = name
		add("name", fault)
		if r.MinXP < 0 || r.MinXP > store.MaxTotal {
			add("minXp", fmt.Sprintf("has to be from 0 to %d", int64(store.MaxTotal)))
		}
	case points:
		r.writtenID = r.UserID
		id("userId", &r.UserID)
		if r.Caller != "" {
			id("caller", &r.Caller)
		}
		r.checkPoints(add)
	}
}

func (r *record) checkPoints(add func(field, message string)) {
	if r.XP == 0 && r.MLCoins == 0 {
		add("xp", "is missing or 0; give the points to add or to take away")
	}
	if max(r.XP, -r.XP, r.MLCoins, -r.MLCoins) > store.MaxTotal || min(r.XP, r.MLCoins) < -store.MaxTotal {
		add("xp", fmt.Sprintf("or mlCoins is beyond %d", int64(store.MaxTotal)))
	}
	add("reason", validate.Text(r.Reason, validate.MaxReason))
	add("at", checkTime(r.At))
	add("key", validate.Text(r.Key, validate.MaxKey))
	if r.Caller != "" && r.Key == "" {
		add("caller", "says who used the key, but there is no key; give a key, or remove it")
	}
	if r.Rows < 0 || r.Rows > maxRows || r.Rows > 0 && r.Key == "" {
		add("rows", fmt.Sprintf("has to be from 1 to %d, beside a key", maxRows))
	}
}

// maxTop is the highest limit of a board.
const maxTop = 1_000_000_000

func formatTime(t time.Time) string { return t.UTC().Format(store.TimeFormat) }

// parseTime returns the zero time for an empty text.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.Truncate(time.Millisecond), err
}

// The first and last year of a time. The store has further rules.
const (
	firstYear = 2000
	lastYear  = 2200
)

func checkTime(s string) string {
	switch t, err := parseTime(s); {
	case err != nil:
		return "has to be a time such as 2025-11-28T18:30:00Z (RFC 3339)"
	case !t.IsZero() && (t.UTC().Year() < firstYear || t.UTC().Year() > lastYear):
		return fmt.Sprintf("has to lie between the years %d and %d", firstYear, lastYear)
	}
	return ""
}

// timeOf returns the time of a field that checkTime has accepted.
func timeOf(s string) time.Time {
	t, _ := parseTime(s)
	return t
}
