package api

import (
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"marcador/internal/validate"
	"marcador/live"
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
func (p *UserPath) Resolve(ctx huma.Context) []error {
	f := faults{prefix: "path."}
	f.id(ctx, "id", &p.ID)
	return f.list
}

type dataKey struct{}

// dataOf returns what ids of a request are looked for in.
func dataOf(ctx context.Context) *live.Service {
	s, _ := ctx.Value(dataKey{}).(*live.Service)
	return s
}

// boardThere returns what reports whether there is a board of that kind and id.
func boardThere(ctx context.Context) func(kind, id string) bool {
	return func(kind, id string) bool { return dataOf(ctx).HasBoard(ctx, kind, id) }
}

// id brings a user's id into the form that it is kept in.
func (f *faults) id(ctx huma.Context, field string, id *string) {
	var fault string
	*id, fault = validate.IDIn(*id, dataOf(ctx.Context()).Has)
	f.add(field, fault)
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
	f.add("reason", validate.Text(p.Reason, validate.MaxReason))
}

func (p *Points) xp() int64 {
	if p.XP == nil {
		return 0
	}
	return *p.XP
}
