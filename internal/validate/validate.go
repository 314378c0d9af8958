// Package validate checks ids, names, texts and boards, and brings them into their canonical form.
// Everything that comes from outside passes through it: requests, tokens and imported files.
//
// What is wrong with a value is a text that completes a sentence beginning with the name of the
// field, such as "is empty; give one". It is "" if nothing is wrong.
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

// The greatest lengths of texts, in characters, and of lists.
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

// Text returns what is wrong with a text of up to limit characters, or "". It refuses control
// characters: no name needs them, and they can break lines.
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

// groupKind matches the name of a kind of group.
var groupKind = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// Board returns the canonical name of a board, and whether a board can have that name: global, or a
// kind with the id of a group, or friends with the id of a user. The id may also be Any.
func Board(name string) (board string, ok bool) {
	name = strings.TrimFunc(name, isWhiteSpace)
	kind, id, hasID := strings.Cut(name, ":")
	if !hasID {
		return name, name == "global"
	}
	id, fault := ID(id)
	return kind + ":" + id, (fault == "" || id == Any) && kind != "global" && groupKind.MatchString(kind)
}

// BoardIn is Board, except that the name of a board that exists in the database is not changed and
// not refused; see IDIn.
func BoardIn(name string, exists func(kind, id string) bool) (board string, ok bool) {
	board, ok = Board(name)
	if kind, id, hasID := strings.Cut(name, ":"); (board != name || !ok) && hasID && groupKind.MatchString(kind) && exists(kind, id) {
		return name, true
	}
	return board, ok
}

// CheckProfile brings the names and the ids of groups in a profile into their canonical form. It
// calls add with fields that are given and what is wrong with each, or "". The id of a group that
// exists in the database is not changed; see IDIn.
func CheckProfile(p *profile.Patch, exists func(kind, id string) bool, add func(field, message string)) {
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
	checkGroups(p.Groups.Value, exists, add)
}

func checkGroups(groups map[string][]string, exists func(kind, id string) bool, add func(field, message string)) {
	if len(groups) > MaxKinds {
		add("groups", fmt.Sprintf("has more than %d kinds", MaxKinds))
	}
	for _, kind := range slices.Sorted(maps.Keys(groups)) {
		ids := groups[kind]
		if !groupKind.MatchString(kind) || kind == "global" || kind == "friends" {
			add("groups", fmt.Sprintf("%q can't be a kind of group; use a word in small letters (a-z, 0-9, _ and -), such as school, but not global or friends", kind))
		}
		if len(ids) > MaxGroups {
			add("groups."+kind, fmt.Sprintf("has more than %d groups", MaxGroups))
		}
		for i, id := range ids {
			var fault string
			ids[i], fault = IDIn(id, func(id string) bool { return exists(kind, id) })
			add("groups."+kind+"["+strconv.Itoa(i)+"]", fault)
		}
	}
}
