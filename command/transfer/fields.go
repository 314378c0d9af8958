package transfer

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"marcador/internal/profile"
)

// field is a field of a record, and the column of the field in CSV.
type field struct {
	name  string
	types string             // the types of records that have the field
	there func(*record) bool // whether the record gives the field
	get   func(*record) string
	set   func(*record, string) string // returns what is wrong, or ""
	text  bool

	// empty sets the field for an empty cell of CSV. It is nil if such a cell changes nothing.
	empty func(*record)
}

// fields are all fields except the type, in the order of the columns.
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

// booleans are the words that people write for true and false, and that spreadsheets write in their
// users' languages.
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
		return strings.ReplaceAll(string(b), ";", `\u003b`) // see escape.go
	},
	set: func(r *record, s string) string {
		if err := json.Unmarshal([]byte(s), &r.Groups); err != nil {
			return `has to be a JSON object of lists, each kind once, as in {"school":["42"]}`
		}
		return ""
	},
}

// profileField is a text of a user's profile.
func profileField(name string, at func(*record) *profile.Field[string]) field {
	return field{
		name: name, types: user, text: true,
		there: func(r *record) bool { return at(r).Given },
		get:   func(r *record) string { return at(r).Value },
		set:   func(r *record, s string) string { *at(r) = profile.Given(s); return "" },
	}
}

// optionalField is a text that a profile may lack. An empty cell removes it.
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

const wholeNumber = "has to be a whole number, without a decimal point"

// names returns the names of all fields, for messages.
func names() string {
	list := []string{"type"}
	for _, f := range fields {
		list = append(list, f.name)
	}
	return strings.Join(list, ", ")
}
