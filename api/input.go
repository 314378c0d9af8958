package api

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"marcador/rules"
)

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
	f.add("id", rules.Identifier(p.ID))
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

// check collects what is wrong with the profile.
func (p *Profile) check(f *faults) {
	of := rules.Profile{Username: p.Username, Avatar: p.Avatar, Email: p.Email, Pseudonym: p.Pseudonym, Groups: p.Groups}
	of.Check(f.add)
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
	f.add("reason", rules.Text(p.Reason, rules.MaxReason))
}

func (p *Points) xp() int64 {
	if p.XP == nil {
		return 0
	}
	return *p.XP
}
