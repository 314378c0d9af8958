package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/internal/validate"
	"marcador/store"
)

// badges is the table of badges, lowest first.
type badges struct {
	Badges []badge `json:"badges" minItems:"1" maxItems:"100" nullable:"false"`
}

type badge struct {
	MinXP int64  `json:"minXp" minimum:"0" maximum:"9007199254740991" doc:"Total XP from which the badge is earned"`
	Name  string `json:"name" maxLength:"100"`
}

type badgesInput struct {
	Body badges
}

// Resolve implements huma.Resolver.
func (in *badgesInput) Resolve(huma.Context) []error {
	f := faults{}
	for i := range in.Body.Badges {
		b := &in.Body.Badges[i]
		f.prefix = "body.badges[" + strconv.Itoa(i) + "]."
		name, fault := validate.Name(b.Name)
		b.Name = name
		f.add("name", fault)
		switch {
		case i == 0 && b.MinXP != 0:
			f.add("minXp", "must be 0 for the first, so that everybody has a badge")
		case i > 0 && b.MinXP <= in.Body.Badges[i-1].MinXP:
			f.add("minXp", "must be higher than in the badge before; give the lowest badge first")
		}
	}
	return f.list
}

type badgesOutput struct {
	Body badges
}

func (a *api) badgeRoutes() {
	get := a.operation(http.MethodGet, "/v1/badges", "getBadges", "Boards", "The badges, and the XP that earns them", access{public: true})
	huma.Register(a.huma, get, func(context.Context, *struct{}) (*badgesOutput, error) { return a.badges(), nil })

	put := a.operation(http.MethodPut, "/v1/badges", "putBadges", "Boards", "Replace the badges, on all boards at once", access{scope: auth.ScopeAdmin})
	huma.Register(a.huma, put, func(ctx context.Context, in *badgesInput) (*badgesOutput, error) {
		list := make([]store.Badge, len(in.Body.Badges))
		for i, b := range in.Body.Badges {
			list[i] = store.Badge{MinXP: b.MinXP, Name: b.Name}
		}
		if err := a.Live.PutBadges(ctx, list); err != nil {
			return nil, a.fail(ctx, err)
		}
		return a.badges(), nil
	})
}

func (a *api) badges() *badgesOutput {
	out := &badgesOutput{}
	for _, b := range a.Live.Badges() {
		out.Body.Badges = append(out.Body.Badges, badge{b.MinXP, b.Name})
	}
	return out
}
