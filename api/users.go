package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/live"
	"marcador/rules"
)

// user is a person with where they stand.
type user struct {
	UserID    string                    `json:"userId"`
	Username  string                    `json:"username"`
	Avatar    string                    `json:"avatar"`
	Groups    map[string][]string       `json:"groups" doc:"Ids of the groups that the person is in, by kind"`
	Pseudonym string                    `json:"pseudonym,omitempty" doc:"What others see instead of name and avatar"`
	Hidden    bool                      `json:"hidden,omitempty" doc:"Whether nobody else sees the person on a board"`
	XP        int64                     `json:"xp"`
	MLCoins   int64                     `json:"mlCoins"`
	RankBadge string                    `json:"rankBadge"`
	Ranks     map[string]map[string]int `json:"ranks" doc:"Rank by board and period"`
}

func userOf(u live.User) user {
	return user{
		UserID: u.ID, Username: u.Username, Avatar: u.Avatar, Groups: u.Groups, Pseudonym: u.Pseudonym, Hidden: u.Hidden,
		XP: u.XP, MLCoins: u.MLCoins, RankBadge: u.RankBadge, Ranks: u.Ranks,
	}
}

func (p Profile) of(id string) live.Profile {
	return live.Profile{
		ID: id, Username: p.Username, Avatar: p.Avatar, Email: p.Email, Groups: p.Groups,
		Pseudonym: p.Pseudonym, Hidden: p.Hidden,
	}
}

type putUserInput struct {
	UserPath

	Body Profile
}

// Resolve implements huma.Resolver.
func (in *putUserInput) Resolve(ctx huma.Context) []error {
	f := faults{prefix: "body.", list: in.UserPath.Resolve(ctx)}
	in.Body.check(&f)
	return f.list
}

type userOutput struct {
	Status int
	Body   user
}

// newUser is a profile with whose it is.
type newUser struct {
	ID string `json:"id" maxLength:"128" doc:"The caller's own id for the person"`
	Profile
}

type users struct {
	Users []newUser `json:"users" minItems:"1" maxItems:"1000" nullable:"false"`
}

type postUsersInput struct {
	Body users
}

// Resolve implements huma.Resolver.
func (in *postUsersInput) Resolve(huma.Context) []error {
	f := faults{}
	seen := make(map[string]int, len(in.Body.Users))
	for i := range in.Body.Users {
		u := &in.Body.Users[i]
		f.prefix = "body.users[" + strconv.Itoa(i) + "]."
		f.add("id", rules.Identifier(u.ID))
		if first, twice := seen[u.ID]; twice {
			f.add("id", "is there twice, first in users["+strconv.Itoa(first)+"]; give each user once")
		}
		seen[u.ID] = i
		u.check(&f)
	}
	return f.list
}

// userList is users as they are now, in the order of the request.
type userList struct {
	Users []user `json:"users" nullable:"false"`
}

type postUsersOutput struct {
	Body userList
}

func (a *api) usersRoutes() {
	write := access{scope: auth.ScopeWriteUsers}
	self := access{self: true}

	put := a.operation(http.MethodPut, "/v1/users/{id}", "putUser", "Users", "Create or replace a profile", write)
	huma.Register(a.huma, put, func(ctx context.Context, in *putUserInput) (*userOutput, error) {
		created, err := a.Live.PutProfiles(ctx, []live.Profile{in.Body.of(in.ID)})
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		out, err := a.user(ctx, in.ID)
		if err == nil && created[0] {
			out.Status = http.StatusCreated
		}
		return out, err
	})

	post := a.operation(http.MethodPost, "/v1/users", "postUsers", "Users", "Create or replace profiles, all or none", write)
	huma.Register(a.huma, post, func(ctx context.Context, in *postUsersInput) (*postUsersOutput, error) {
		a.pace.also(callerOf(ctx).UserID, len(in.Body.Users)-1)
		profiles := make([]live.Profile, len(in.Body.Users))
		for i, u := range in.Body.Users {
			profiles[i] = u.of(u.ID)
		}
		if _, err := a.Live.PutProfiles(ctx, profiles); err != nil {
			return nil, a.fail(ctx, err)
		}
		out := &postUsersOutput{}
		for _, p := range profiles {
			u, err := a.Live.User(ctx, p.ID)
			if err != nil {
				return nil, a.fail(ctx, err)
			}
			out.Body.Users = append(out.Body.Users, userOf(u))
		}
		return out, nil
	})

	get := a.operation(http.MethodGet, "/v1/users/{id}", "getUser", "Users", "A user's totals and ranks", self)
	huma.Register(a.huma, get, func(ctx context.Context, in *UserPath) (*userOutput, error) {
		return a.user(ctx, in.ID)
	})

	erase := a.operation(http.MethodDelete, "/v1/users/{id}", "deleteUser", "Users", "Erase a person", write)
	erase.DefaultStatus = http.StatusNoContent
	huma.Register(a.huma, erase, func(ctx context.Context, in *UserPath) (*struct{}, error) {
		return nil, a.fail(ctx, a.Live.Erase(ctx, in.ID))
	})
}

func (a *api) user(ctx context.Context, id string) (*userOutput, error) {
	u, err := a.Live.User(ctx, id)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return &userOutput{Status: http.StatusOK, Body: userOf(u)}, nil
}
