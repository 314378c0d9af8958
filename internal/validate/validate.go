// Package validate says what ids, names, texts and points may look like, for whoever takes
// them in. What is wrong comes as the end of a sentence that begins with the field's name,
// and says what to do; "" where nothing is.
package validate

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"marcador/internal/profile"
)

// The longest that texts may be, in characters, and the most that lists may have.
const (
	MaxID     = 128 // of a user or a group
	MaxName   = 100
	MaxAvatar = 2048
	MaxEmail  = 320 // RFC 3696 with its erratum 1690
	MaxReason = 500
	MaxKey    = 255
	MaxKinds  = 20  // group kinds of one user
	MaxGroups = 100 // groups of one kind
)

// Text is for a string of up to limit characters. Control characters are refused: no name
// needs them, and they break lines.
func Text(s string, limit int) string {
	switch {
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case utf8.RuneCountInString(s) > limit:
		return fmt.Sprintf("is longer than %d characters", limit)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }):
		return "has a control character or line break in it; take it out"
	}
	return ""
}

// groupKind is what a kind of group may be called.
var groupKind = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// Board returns the name of a board as it is kept, and whether a board can have it: global,
// or a kind with the id of a group, or of a user for friends, or with Any.
func Board(name string) (board string, ok bool) {
	name = strings.TrimFunc(name, whiteSpace)
	kind, id, hasID := strings.Cut(name, ":")
	if !hasID {
		return name, name == "global"
	}
	id, fault := ID(id)
	return kind + ":" + id, (fault == "" || id == Any) && kind != "global" && groupKind.MatchString(kind)
}

// BoardIn is Board, except that the board of an id which is in a database stands for
// itself: see IDIn.
func BoardIn(name string, there func(kind, id string) bool) (board string, ok bool) {
	board, ok = Board(name)
	if kind, id, hasID := strings.Cut(name, ":"); (board != name || !ok) && hasID && groupKind.MatchString(kind) && there(kind, id) {
		return name, true
	}
	return board, ok
}

// CheckProfile brings names and ids of groups into the form that they are kept in, and
// calls add with each field that is given and what is wrong with it, or "". A group that is in
// a database, as there says, stands for itself: see IDIn.
func CheckProfile(p *profile.Patch, there func(kind, id string) bool, add func(field, message string)) {
	if p.Username.Given {
		name, fault := Name(p.Username.Value)
		p.Username.Value = name
		add("username", fault)
	}
	if avatar := p.Avatar.Value; avatar != "" {
		add("avatar", Text(avatar, MaxAvatar))
		if !strings.HasPrefix(avatar, "https://") && !strings.HasPrefix(avatar, "data:image/") {
			add("avatar", "must begin with https:// or data:image/")
		}
	}
	add("email", Text(p.Email.Value, MaxEmail))
	if p.Pseudonym.Value != "" {
		name, fault := Name(p.Pseudonym.Value)
		p.Pseudonym.Value = name
		add("pseudonym", fault)
	}
	checkGroups(p.Groups.Value, there, add)
}

func checkGroups(groups map[string][]string, there func(kind, id string) bool, add func(field, message string)) {
	if len(groups) > MaxKinds {
		add("groups", fmt.Sprintf("has more than %d kinds", MaxKinds))
	}
	for _, kind := range slices.Sorted(maps.Keys(groups)) {
		ids := groups[kind]
		if !groupKind.MatchString(kind) || kind == "global" || kind == "friends" {
			add("groups", fmt.Sprintf("%q can't be a kind of group; use a word such as school, in small letters (a-z, 0-9, _ and -), not global or friends", kind))
		}
		if len(ids) > MaxGroups {
			add("groups."+kind, fmt.Sprintf("has more than %d groups", MaxGroups))
		}
		for i, id := range ids {
			var fault string
			ids[i], fault = IDIn(id, func(id string) bool { return there(kind, id) })
			add("groups."+kind+"["+strconv.Itoa(i)+"]", fault)
		}
	}
}
