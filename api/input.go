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
	if message != "" && len(f.list) < maxFaults {
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
