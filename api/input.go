package api

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"marcador/live"
)

const (
	maxID       = 128 // characters of a user's or a group's id
	maxUsername = 100
	maxAvatar   = 2048
	maxEmail    = 320 // RFC 3696 with its erratum 1690
	maxReason   = 500
	maxKey      = 255
	maxKinds    = 20  // group kinds of one user
	maxGroups   = 100 // groups of one kind
)

// text returns what is wrong with a string of up to limit characters, or "".
// Control characters are refused: no name needs them, and they break lines.
func text(s string, limit int) string {
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

// filled is text for what must not be empty.
func filled(s string, limit int) string {
	unseen := func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
	if strings.TrimFunc(s, unseen) == "" {
		return "is empty; give one"
	}
	return text(s, limit)
}

// identifier is filled for the id of a user or a group. Dots alone are a way
// through folders, which no path can carry as a name.
func identifier(s string) string {
	if s == "." || s == ".." {
		return "can't be dots alone; give another"
	}
	return filled(s, maxID)
}

// boardName reports whether a board can have the name.
func boardName(s string) bool {
	kind, ok := live.KindOf(s)
	if !ok || kind == live.Global {
		return ok
	}
	return groupKind.MatchString(kind) && identifier(s[len(kind)+1:]) == ""
}

// faults collects what is wrong with an input.
type faults struct {
	prefix string
	list   []error
}

func (f *faults) add(field, message string) {
	if message != "" {
		f.list = append(f.list, &huma.ErrorDetail{Location: strings.TrimSuffix(f.prefix+field, "."), Message: message})
	}
}

// UserPath is a user in a path.
type UserPath struct {
	ID string `path:"id" doc:"User id" minLength:"1" maxLength:"128"`
}

// Resolve implements huma.Resolver.
func (p *UserPath) Resolve(huma.Context) []error {
	f := faults{prefix: "path."}
	f.add("id", identifier(p.ID))
	return f.list
}

// Profile is what is known of a person beside their points.
type Profile struct {
	Username string              `json:"username" maxLength:"100" doc:"Name that others see"`
	Avatar   string              `json:"avatar,omitempty" maxLength:"2048" doc:"Picture: an https: or data:image/ address"`
	Email    string              `json:"email,omitempty" maxLength:"320"`
	Groups   map[string][]string `json:"groups,omitempty" doc:"Ids of the groups that the person is in, by kind"`

	Pseudonym string `json:"pseudonym,omitempty" maxLength:"100" doc:"What others see instead of name and avatar"`
	Hidden    bool   `json:"hidden,omitempty" doc:"Nobody else sees the person on a board; the ranks of others close up"`
}

// groupKind is what a kind of group may be called.
var groupKind = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// check collects what is wrong with the profile.
func (p *Profile) check(f *faults) {
	f.add("username", filled(p.Username, maxUsername))
	f.add("avatar", text(p.Avatar, maxAvatar))
	if p.Avatar != "" && !strings.HasPrefix(p.Avatar, "https://") && !strings.HasPrefix(p.Avatar, "data:image/") {
		f.add("avatar", "must begin with https:// or data:image/")
	}
	f.add("email", text(p.Email, maxEmail))
	if p.Pseudonym != "" {
		f.add("pseudonym", filled(p.Pseudonym, maxUsername))
	}
	if len(p.Groups) > maxKinds {
		f.add("groups", fmt.Sprintf("has more than %d kinds", maxKinds))
	}
	for _, kind := range slices.Sorted(maps.Keys(p.Groups)) {
		ids := p.Groups[kind]
		if !groupKind.MatchString(kind) || kind == "global" || kind == "friends" {
			f.add("groups", fmt.Sprintf("%q can't be a kind of group; use a word such as school, in small letters (a-z, 0-9, _ and -), not global or friends", kind))
		}
		if len(ids) > maxGroups {
			f.add("groups."+kind, fmt.Sprintf("has more than %d groups", maxGroups))
		}
		for i, id := range ids {
			f.add("groups."+kind+"["+strconv.Itoa(i)+"]", identifier(id))
		}
	}
}

// Points is how many points to give.
type Points struct {
	XP      *int64 `json:"xp,omitempty" minimum:"-9007199254740991" maximum:"9007199254740991" doc:"Points to add, negative to take away; not 0"`
	MLCoins int64  `json:"mlCoins,omitempty" minimum:"-9007199254740991" maximum:"9007199254740991" doc:"Coins to add, negative to take away"`
	Reason  string `json:"reason,omitempty" maxLength:"500" doc:"What for; kept in the ledger" example:"exercise:123"`
}

// check collects what is wrong with the points.
func (p *Points) check(f *faults) {
	switch {
	case p.XP == nil && p.MLCoins == 0:
		f.add("xp", "is missing; give the points to add or to take away")
	case p.XP != nil && *p.XP == 0:
		f.add("xp", "is 0; give the points to add or to take away, or leave xp out to change mlCoins alone")
	}
	f.add("reason", text(p.Reason, maxReason))
}

func (p *Points) xp() int64 {
	if p.XP == nil {
		return 0
	}
	return *p.XP
}
