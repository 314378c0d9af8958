// Package transfer writes all that a database knows of people and their points to a file,
// as JSON Lines or CSV, and reads such files, or what others have made, into a database.
// An export goes through in one pass. An import reads all of its input, and checks all of it
// by a rehearsal in the database, before it writes. Memory grows with the input by 8 bytes
// for each 64 KiB, and some 30 for each user of a CSV file.
package transfer

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

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

// record is a line of JSON, or a row of CSV. Which fields it has is its type's to say.
type record struct {
	Type string `json:"type,omitzero"`

	ID string `json:"id,omitzero"`
	profile.Patch
	CreatedAt string `json:"createdAt,omitzero"`

	UserID  string `json:"userId,omitzero"`
	OtherID string `json:"otherId,omitzero"`
	Since   string `json:"since,omitzero"`

	OneSided bool `json:"oneSided,omitzero"` // the other has not asked

	Board string `json:"board,omitzero"`
	Top   int64  `json:"top,omitzero"`

	MinXP int64  `json:"minXp,omitzero"`
	Name  string `json:"name,omitzero"`

	XP      int64  `json:"xp,omitzero"`
	MLCoins int64  `json:"mlCoins,omitzero"`
	Reason  string `json:"reason,omitzero"`
	At      string `json:"at,omitzero"`
	Key     string `json:"key,omitzero"`
	Caller  string `json:"caller,omitzero"` // whose the key is
	Rows    int64  `json:"rows,omitzero"`   // how many records the key covers: this and the next

	written string // userId of points, as the input has it

	unread bool // nothing else is known of it: it was not a record
}

// field is one of a record, and a column of CSV.
type field struct {
	name  string
	types string             // those of the records that have it
	there func(*record) bool // whether the field is given
	get   func(*record) string
	set   func(*record, string) string // returns what is wrong, or ""
	text  bool

	empty func(*record) // gives the field the value of an empty cell of CSV; nil where that says nothing
}

// fields are all but the type, in the order of the columns.
var fields = []field{
	textField("id", user, func(r *record) *string { return &r.ID }),
	profileField("username", func(r *record) *profile.Field[string] { return &r.Username }),
	optionalField("avatar", func(r *record) *profile.Field[string] { return &r.Avatar }),
	optionalField("email", func(r *record) *profile.Field[string] { return &r.Email }),
	optionalField("pseudonym", func(r *record) *profile.Field[string] { return &r.Pseudonym }),
	hiddenField, groupsField,
	textField("createdAt", user, func(r *record) *string { return &r.CreatedAt }),
	textField("userId", friends+points, func(r *record) *string { return &r.UserID }),
	textField("otherId", friends, func(r *record) *string { return &r.OtherID }),
	textField("since", friends, func(r *record) *string { return &r.Since }),
	boolField("oneSided", friends, func(r *record) *bool { return &r.OneSided }),
	textField("board", limit, func(r *record) *string { return &r.Board }),
	numberField("top", limit, func(r *record) *int64 { return &r.Top }),
	numberField("minXp", badge, func(r *record) *int64 { return &r.MinXP }),
	textField("name", badge, func(r *record) *string { return &r.Name }),
	numberField("xp", points, func(r *record) *int64 { return &r.XP }),
	numberField("mlCoins", points, func(r *record) *int64 { return &r.MLCoins }),
	textField("reason", points, func(r *record) *string { return &r.Reason }),
	textField("at", points, func(r *record) *string { return &r.At }),
	textField("key", points, func(r *record) *string { return &r.Key }),
	textField("caller", points, func(r *record) *string { return &r.Caller }),
	numberField("rows", points, func(r *record) *int64 { return &r.Rows }),
}

var hiddenField = field{
	name: "hidden", types: user,
	there: func(r *record) bool { return r.Hidden.Given },
	get:   func(r *record) string { return strconv.FormatBool(r.Hidden.Value) },
	set: func(r *record, s string) string {
		hidden, known := booleans[strings.ToLower(s)]
		if !known {
			return "has to be true or false"
		}
		r.Hidden = profile.Given(hidden)
		return ""
	},
}

// booleans are what people and spreadsheets, which say it in their own language, write.
var booleans = map[string]bool{
	"true": true, "t": true, "1": true, "yes": true, "verdadero": true, "sí": true, "si": true,
	"vrai": true, "wahr": true, "vero": true, "verdadeiro": true,
	"false": false, "f": false, "0": false, "no": false, "falso": false, "faux": false, "falsch": false,
}

var groupsField = field{
	name: "groups", types: user,
	there: func(r *record) bool { return r.Groups.Given },
	get: func(r *record) string {
		b, err := json.Marshal(r.Groups, json.Deterministic(true))
		if err != nil {
			panic(err) // a map of strings always has a JSON form
		}
		return strings.ReplaceAll(string(b), ";", `\u003b`) // see escape
	},
	set: func(r *record, s string) string {
		if err := json.Unmarshal([]byte(s), &r.Groups); err != nil {
			return `has to be a JSON object of lists, each kind once, as in {"school":["42"]}`
		}
		return ""
	},
}

// profileField is a text that is known of a user.
func profileField(name string, at func(*record) *profile.Field[string]) field {
	return field{
		name: name, types: user, text: true,
		there: func(r *record) bool { return at(r).Given },
		get:   func(r *record) string { return at(r).Value },
		set:   func(r *record, s string) string { *at(r) = profile.Given(s); return "" },
	}
}

// optionalField is a text that a user need not have: an empty cell removes it.
func optionalField(name string, at func(*record) *profile.Field[string]) field {
	f := profileField(name, at)
	f.empty = func(r *record) { *at(r) = profile.Given("") }
	return f
}

func textField(name, types string, at func(*record) *string) field {
	return field{
		name: name, types: types, text: true,
		there: func(r *record) bool { return *at(r) != "" },
		get:   func(r *record) string { return *at(r) },
		set:   func(r *record, s string) string { *at(r) = s; return "" },
	}
}

func boolField(name, types string, at func(*record) *bool) field {
	return field{
		name: name, types: types,
		there: func(r *record) bool { return *at(r) },
		get:   func(r *record) string { return strconv.FormatBool(*at(r)) },
		set: func(r *record, s string) (wrong string) {
			var known bool
			if *at(r), known = booleans[strings.ToLower(s)]; !known {
				wrong = "has to be true or false"
			}
			return wrong
		},
	}
}

func numberField(name, types string, at func(*record) *int64) field {
	return field{
		name: name, types: types,
		there: func(r *record) bool { return *at(r) != 0 },
		get:   func(r *record) string { return strconv.FormatInt(*at(r), 10) },
		set: func(r *record, s string) (wrong string) {
			var err error
			if *at(r), err = strconv.ParseInt(s, 10, 64); err != nil {
				wrong = wholeNumber
			}
			return wrong
		},
	}
}

const wholeNumber = "has to be a whole number, with no point and nothing behind it"

// names lists the fields.
func names() string {
	list := []string{"type"}
	for _, f := range fields {
		list = append(list, f.name)
	}
	return strings.Join(list, ", ")
}

// size is about how many bytes a user's texts take.
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

// check returns what is wrong with a record that was read, fills in the type where it can
// be told from the rest, and brings ids and names into the form that they are kept in. An
// id that the database has, as there says of boards, stays as it is. The board of a user is
// that of their friends.
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
			add(f.name, "does not belong to a record of the type "+r.Type+"; take it out")
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
		r.written = r.UserID
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
		add("caller", "is whose the key is, and there is no key; give a key, or take it out")
	}
	if r.Rows < 0 || r.Rows > maxRows || r.Rows > 0 && r.Key == "" {
		add("rows", fmt.Sprintf("has to be from 1 to %d, beside a key", maxRows))
	}
}

// maxTop bounds a board's limit.
const maxTop = 1_000_000_000

func formatTime(t time.Time) string { return t.UTC().Format(store.TimeFormat) }

// parseTime is the zero value where there is none.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t.Truncate(time.Millisecond), err
}

// Years that a time may lie in; the store says what else.
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

// timeOf is the time of a field that was checked.
func timeOf(s string) time.Time {
	t, _ := parseTime(s)
	return t
}
